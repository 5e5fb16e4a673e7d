-- What reacts to the log or to the clock, on one node at a time: where it stands, who works, and
-- what it could not do. No folds of the log: none of it says what happened.

create table followers (
  name         text        primary key,
  position     bigint      check (position >= 0), -- worked off up to here; null: driven by the clock
  log_epoch    bigint      not null default 0,    -- the log's epoch at that time; 0: before the first
  stopped      text,                              -- a code: why it does not go on by itself
  holder       text,                              -- the node that works; for people
  lease_epoch  bigint      not null default 0,    -- raised when the lease passes on: the fencing token
  lease_until  timestamptz not null default 'epoch', -- by this server's clock, as all times here
  heartbeat_at timestamptz
);

-- A key of which something could not be done: everything of it waits, in order, and nothing else.
create table parked_keys (
  follower text        not null references followers,
  key      text        not null, -- mostly <aggregate_type>/<aggregate_id>
  reason   text        not null, -- a code, and nothing of what is inside
  since    timestamptz not null,
  replay   boolean     not null default false, -- somebody has asked to try again
  primary key (follower, key)
);
create index on parked_keys (follower, since, key);

-- The events that wait. What is driven by the clock has none: what is due it finds again.
create table parked_events (
  follower text   not null,
  key      text   not null,
  position bigint not null,
  primary key (follower, key, position),
  foreign key (follower, key) references parked_keys
);

insert into followers (name) values ('expiry'), ('retention');

grant select, update on followers to pms_serve;
grant select, insert, update, delete on parked_keys to pms_serve;
grant select, insert, delete on parked_events to pms_serve;
