create table misp_license (
  id            text        primary key,
  version       bigint      not null,
  status        text        not null,
  status_reason text,
  partner_id    text        not null,
  policy_id     text,
  label         text        not null,
  lookup_id     text        not null,
  last_four     text        not null,
  expires_at    timestamptz not null,
  rotated_from  text,
  rotated_to    text,
  next_expiry   timestamptz,
  created_at    timestamptz not null,
  created_by    text        not null,
  updated_at    timestamptz not null
);
create index on misp_license (created_at, id);
create index on misp_license (updated_at, id);
create index on misp_license (status, created_at, id);
create index on misp_license (status, id);
create index on misp_license (partner_id, id);
create index on misp_license (partner_id, created_at, id);
create index on misp_license (policy_id, status);
create index on misp_license (expires_at, id);
create index on misp_license (lower(label), id);
create index on misp_license (lookup_id);
create index on misp_license (next_expiry);
create index on misp_license (coalesce(policy_id, ''), id);
create index on misp_license (id text_pattern_ops);
create index on misp_license using gin (lower(label) gin_trgm_ops);
