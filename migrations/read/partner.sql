create table partner (
  id                      text        primary key,
  version                 bigint      not null,
  status                  text        not null,
  status_reason           text,
  partner_type            text        not null,
  organization_name       text        not null,
  policy_group_id         text,
  lang_code               text,
  logo_url                text,
  members                 text[]      not null,
  member_roles            jsonb       not null,
  contacts                jsonb       not null,
  certificate_fingerprint text,
  certificate_expires_at  timestamptz,
  certificate_uploaded_at timestamptz,
  certificate_serial      text,
  certificate_path        jsonb       not null,
  certificates            jsonb       not null,
  next_expiry             timestamptz,
  created_at              timestamptz not null,
  created_by              text        not null,
  updated_at              timestamptz not null
);
create index on partner (created_at, id);
create index on partner (updated_at, id);
create index on partner (status, created_at, id);
create index on partner (status, id);
create index on partner (partner_type, id);
create index on partner (lower(organization_name), id);
create index on partner (lower(id), id);
create index on partner (policy_group_id, id);
create index on partner (coalesce(policy_group_id, ''), id);
create index on partner (certificate_expires_at, id);
create index on partner (coalesce(certificate_expires_at, 'infinity'), id);
create index on partner (coalesce(certificate_uploaded_at, 'infinity'), id);
create index on partner using gin (members);
create index on partner using gin (certificate_path jsonb_path_ops);
create index on partner (next_expiry) where next_expiry is not null;
create index on partner using gin (lower(id) gin_trgm_ops, lower(organization_name) gin_trgm_ops);
