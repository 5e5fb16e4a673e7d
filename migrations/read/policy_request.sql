create table policy_request (
  id              text        primary key,
  version         bigint      not null,
  status          text        not null,
  partner_id      text        not null,
  policy_id       text        not null,
  comment         text        not null,
  credential_type text,
  extractors      jsonb       not null,
  submitted_at    timestamptz,
  decided_at      timestamptz,
  decided_by      text,
  decision_reason text,
  created_at      timestamptz not null,
  created_by      text        not null,
  updated_at      timestamptz not null
);
create index on policy_request (created_at, id);
create index on policy_request (updated_at, id);
create index on policy_request (status, created_at, id);
create index on policy_request (status, id);
create index on policy_request (partner_id, id);
create index on policy_request (partner_id, created_at, id);
create index on policy_request (policy_id, status);
create index on policy_request (policy_id, id);
create index on policy_request (coalesce(decided_at, 'infinity'), id);
create index on policy_request (credential_type, partner_id);
create index on policy_request using gin (extractors jsonb_path_ops) with (fastupdate = off);
create index on policy_request (id text_pattern_ops);
create index on policy_request using gin (lower(comment) gin_trgm_ops, lower(decided_by) gin_trgm_ops);
