create table api_key (
  id            text        primary key,
  version       bigint      not null,
  status        text        not null,
  status_reason text,
  partner_id    text        not null,
  policy_id     text        not null,
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
create index on api_key (created_at, id);
create index on api_key (updated_at, id);
create index on api_key (status, created_at, id);
create index on api_key (status, id);
create index on api_key (partner_id, id);
create index on api_key (partner_id, created_at, id);
create index on api_key (policy_id, status);
create index on api_key (expires_at, id);
create index on api_key (lower(label), id);
create index on api_key (lookup_id);
create index on api_key (next_expiry);
create index on api_key (id text_pattern_ops);
create index on api_key using gin (lower(label) gin_trgm_ops);
