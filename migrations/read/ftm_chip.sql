create table ftm_chip (
  id                      text        primary key,
  version                 bigint      not null,
  status                  text        not null,
  status_reason           text,
  partner_id              text        not null,
  make                    text        not null,
  model                   text        not null,
  certificate_fingerprint text,
  certificate_expires_at  timestamptz,
  certificate_serial      text,
  certificate_path        jsonb       not null,
  certificates            jsonb       not null,
  next_expiry             timestamptz,
  created_at              timestamptz not null,
  created_by              text        not null,
  updated_at              timestamptz not null
);
create index on ftm_chip (created_at, id);
create index on ftm_chip (updated_at, id);
create index on ftm_chip (status, created_at, id);
create index on ftm_chip (status, id);
create index on ftm_chip (partner_id, id);
create index on ftm_chip (partner_id, created_at, id);
create index on ftm_chip (lower(make), id);
create index on ftm_chip (lower(model), id);
create index on ftm_chip (coalesce(certificate_expires_at, 'infinity'), id);
create index on ftm_chip (certificate_expires_at, id);
create index on ftm_chip using gin (certificate_path jsonb_path_ops);
create index on ftm_chip (next_expiry) where next_expiry is not null;
create index on ftm_chip (id text_pattern_ops);
create index on ftm_chip using gin (lower(make) gin_trgm_ops, lower(model) gin_trgm_ops);
