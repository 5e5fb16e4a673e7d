create table oidc_client (
  id             text        primary key,
  version        bigint      not null,
  status         text        not null,
  status_reason  text,
  partner_id     text        not null,
  policy_id      text        not null,
  name           text        not null,
  names          jsonb       not null,
  logo_uri       text        not null,
  redirect_uris  text[]      not null,
  grant_types    text[]      not null,
  auth_methods   text[]      not null,
  claims         text[]      not null,
  acr_values     text[]      not null,
  public_keys    jsonb       not null,
  key_expires_at timestamptz,
  next_expiry    timestamptz,
  created_at     timestamptz not null,
  created_by     text        not null,
  updated_at     timestamptz not null
);
create index on oidc_client (created_at, id);
create index on oidc_client (updated_at, id);
create index on oidc_client (status, created_at, id);
create index on oidc_client (status, id);
create index on oidc_client (partner_id, id);
create index on oidc_client (partner_id, created_at, id);
create index on oidc_client (policy_id, status);
create index on oidc_client (lower(name), id);
create index on oidc_client (key_expires_at, id) where key_expires_at is not null;
create index on oidc_client (next_expiry);
create index on oidc_client (id text_pattern_ops);
create index on oidc_client using gin (lower(name) gin_trgm_ops);
