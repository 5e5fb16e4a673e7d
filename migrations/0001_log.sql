-- The log: the only truth. Everything else in this database can be folded from it, but for the
-- private rows (0002), which must be erasable and therefore cannot be part of it.

-- `serve` works under this role: it owns no table, so it can neither disable the triggers below nor
-- change a table. The role is shared by all databases of a server, hence the check.
do $$
begin
  if not exists (select from pg_roles where rolname = 'pms_serve') then
    create role pms_serve nologin;
  end if;
exception when duplicate_object or unique_violation then null; -- another database was faster
end $$;
do $$ begin execute format('grant pms_serve to %I', current_user); end $$;

-- The columns of postgres-es, so that its stock repository loads our streams, and two of our own.
-- `json`, not `jsonb`: the stored text is what the audit log hashes, byte for byte.
create table events (
  aggregate_type text        not null,
  aggregate_id   text        not null,
  sequence       bigint      not null check (sequence > 0),
  event_type     text        not null,
  event_version  text        not null,
  payload        json        not null,
  metadata       json        not null,
  position       bigint      not null unique check (position > 0),
  recorded_at    timestamptz not null,
  primary key (aggregate_type, aggregate_id, sequence)
);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the log is append-only: % on % is refused', tg_op, tg_table_name
    using errcode = 'restrict_violation';
end $$;

create trigger events_are_immutable before update or delete on events
  for each row execute function refuse_change();
create trigger events_are_not_truncated before truncate on events
  for each statement execute function refuse_change();
-- Also for a session that calls itself a replica.
alter table events enable always trigger events_are_immutable;
alter table events enable always trigger events_are_not_truncated;

-- Who holds a name that only one may hold. A fold of the log, kept in its transaction.
create table claims (
  kind   text not null,
  key    text not null,
  holder text not null, -- <aggregate_type>/<aggregate_id>
  primary key (kind, key)
);

-- Versions of sets, as sequences are versions of streams.
create table fences (
  name    text   primary key,
  version bigint not null check (version > 0)
);

-- A wish that was granted, so that repeating it grants nothing twice. Holds no secret and no
-- personal data; rows older than 30 days are removed.
create table idempotency_keys (
  subject    text        not null,
  mutation   text        not null,
  key        text        not null,
  input_hmac bytea       not null,
  object_id  text        not null,
  version    bigint      not null,
  position   bigint      not null,
  created_at timestamptz not null,
  primary key (subject, mutation, key)
);
create index on idempotency_keys (created_at);

-- Which server wrote which stretch of the log: after a failover or a restore the same position can
-- have other content. Followers compare epochs and are told where the fork lies.
create table log_epochs (
  epoch             bigint      primary key,
  system_identifier text        not null,
  timeline          text        not null,
  from_position     bigint      not null, -- the first position of this epoch
  since             timestamptz not null
);

grant select, insert on events, log_epochs to pms_serve;
grant select, insert, update, delete on claims, fences to pms_serve;
grant select, insert, delete on idempotency_keys to pms_serve;
