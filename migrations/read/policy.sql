create table policy (
  id              text        primary key,
  version         bigint      not null,
  status          text        not null,
  status_reason   text,
  policy_group_id text        not null,
  policy_type     text        not null,
  name            text        not null,
  description     text        not null,
  policy_version  text        not null,
  policies        jsonb       not null,
  supersedes      text,
  cloned_from     text,
  published_at    timestamptz,
  created_at      timestamptz not null,
  created_by      text        not null,
  updated_at      timestamptz not null
);
create index on policy (created_at, id);
create index on policy (updated_at, id);
create index on policy (status, created_at, id);
create index on policy (status, id);
create index on policy (policy_group_id, status);
create index on policy (policy_type, id);
create index on policy (lower(name), id);
create index on policy (lower(description), id);
create index on policy (supersedes) where supersedes is not null;
create index on policy using gin (lower(id) gin_trgm_ops, lower(name) gin_trgm_ops, lower(description) gin_trgm_ops);
