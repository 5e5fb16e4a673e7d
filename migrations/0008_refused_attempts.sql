-- Who tried what and was refused: beside the log, for nothing has happened, and for 90 days. Of what was
-- sent only the id of the thing that it was about is kept.
create table refused_attempts (
  id             text        primary key, -- a UUID of version 7
  at             timestamptz not null,
  actor          text        not null,    -- the subject of the access token
  roles          text[]      not null,
  actor_partners text[]      not null,    -- the partners that he belonged to
  operation      text        not null,    -- the mutation
  noun           text,
  entity_id      text,
  codes          text[]      not null,    -- of the findings, in their order
  fields         text[]      not null,    -- of each, the field of the input
  correlation_id text        not null,
  request_id     uuid        not null,
  more           bigint      not null default 0 -- attempts after this one that are only counted
);
create index on refused_attempts (at, id);
create index on refused_attempts (actor, at, id);
create index on refused_attempts (operation, at, id);
create index on refused_attempts (noun, at, id);
create index on refused_attempts (entity_id, at, id);
create index on refused_attempts (correlation_id, at, id);
create index on refused_attempts using gin (codes);

grant select, insert, update, delete on refused_attempts to pms_serve;
