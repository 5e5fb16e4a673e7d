create table device (
  id              text        primary key,
  version         bigint      not null,
  status          text        not null,
  status_reason   text,
  partner_id      text        not null,
  device_type     text        not null,
  device_sub_type text        not null,
  make            text        not null,
  model           text        not null,
  sbi_ids         text[]      not null,
  created_at      timestamptz not null,
  created_by      text        not null,
  updated_at      timestamptz not null
);
create index on device (created_at, id);
create index on device (updated_at, id);
create index on device (status, created_at, id);
create index on device (status, id);
create index on device (partner_id, id);
create index on device (partner_id, created_at, id);
create index on device (device_type, id);
create index on device (device_sub_type, id);
create index on device (lower(make), id);
create index on device (lower(model), id);
create index on device using gin (sbi_ids);
create index on device (coalesce(sbi_ids[1], ''), id);
create index on device (id text_pattern_ops);
create index on device using gin (lower(make) gin_trgm_ops, lower(model) gin_trgm_ops);
