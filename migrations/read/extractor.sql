create table extractor (
  id               text        primary key,
  version          bigint      not null,
  status           text        not null,
  status_reason    text,
  name             text        not null,
  provider         text        not null,
  provider_version text        not null,
  modality         text        not null,
  attribute_name   text        not null,
  data_format      text,
  created_at       timestamptz not null,
  created_by       text        not null,
  updated_at       timestamptz not null
);
create index on extractor (created_at, id);
create index on extractor (updated_at, id);
create index on extractor (status, created_at, id);
create index on extractor (status, id);
create index on extractor (lower(name), id);
create index on extractor (lower(provider), id);
create index on extractor (lower(provider_version), id);
create index on extractor (modality, id);
create index on extractor using gin (lower(id) gin_trgm_ops, lower(name) gin_trgm_ops, lower(provider) gin_trgm_ops, lower(provider_version) gin_trgm_ops);
