create table sbi (
  id                  text        primary key,
  version             bigint      not null,
  status              text        not null,
  status_reason       text,
  partner_id          text        not null,
  sw_version          text        not null,
  sw_binary_hash      text        not null,
  sw_create_date_time timestamptz not null,
  sw_expiry_date_time timestamptz not null,
  device_count        bigint      not null,
  next_expiry         timestamptz,
  created_at          timestamptz not null,
  created_by          text        not null,
  updated_at          timestamptz not null
);
create index on sbi (created_at, id);
create index on sbi (updated_at, id);
create index on sbi (status, created_at, id);
create index on sbi (status, id);
create index on sbi (partner_id, id);
create index on sbi (partner_id, created_at, id);
create index on sbi (lower(sw_version), id);
create index on sbi (sw_create_date_time, id);
create index on sbi (sw_expiry_date_time, id);
create index on sbi (device_count, id);
create index on sbi (next_expiry) where next_expiry is not null;
create index on sbi (id text_pattern_ops);
create index on sbi using gin (lower(sw_version) gin_trgm_ops);
