-- What lists need: trigrams, by which text is found by a part of it, and ways into the history.

-- Of PostgreSQL's own contrib modules; trusted, so the owner of the database may create it. Beside
-- the log, for the schema of the read tables is dropped when they are folded anew.
create extension if not exists pg_trgm;

-- Who, when, what, and all that one wish caused. Positions grow with time, so newer entries are
-- added at the end of most of these.
create index on events (recorded_at, position);
create index on events ((metadata->>'actor'), position);
create index on events ((metadata->>'correlation_id'), position);
create index on events (event_type, position);
create index on events (aggregate_type, position);
