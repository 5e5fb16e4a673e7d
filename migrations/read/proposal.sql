create table proposal (
  id              text        primary key,
  version         bigint      not null,
  status          text        not null,
  action          text        not null,
  target          text        not null,
  input           jsonb       not null,
  proposed_by     text        not null,
  decided_by      text,
  decided_at      timestamptz,
  decision_reason text,
  expires_at      timestamptz not null,
  next_expiry     timestamptz,
  created_at      timestamptz not null,
  updated_at      timestamptz not null
);
create index on proposal (created_at, id);
create index on proposal (updated_at, id);
create index on proposal (status, created_at, id);
create index on proposal (status, id);
create index on proposal (action, id);
create index on proposal (expires_at, id);
create index on proposal (next_expiry);
create index on proposal (id text_pattern_ops);
create index on proposal using gin (lower(target) gin_trgm_ops, lower(proposed_by) gin_trgm_ops);
