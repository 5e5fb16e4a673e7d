create table policy_group (
  id            text        primary key,
  version       bigint      not null,
  status        text        not null,
  status_reason text,
  name          text        not null,
  description   text        not null,
  created_at    timestamptz not null,
  created_by    text        not null,
  updated_at    timestamptz not null
);
create index on policy_group (created_at, id);
create index on policy_group (updated_at, id);
create index on policy_group (status, created_at, id);
create index on policy_group (status, id);
create index on policy_group (lower(name), id);
create index on policy_group (lower(description), id);
create index on policy_group using gin (lower(id) gin_trgm_ops, lower(name) gin_trgm_ops, lower(description) gin_trgm_ops);
