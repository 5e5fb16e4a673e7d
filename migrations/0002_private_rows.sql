-- What must be erasable or must never be read back. Events hold only references to it.

-- Personal data, one immutable row per reference, encrypted with the key of its subject: a change
-- writes a new row, so that the past shows the address of that day.
create table personal_data (
  reference  uuid        primary key,
  subject    text        not null,
  ciphertext bytea       not null,
  created_at timestamptz not null
);
create index on personal_data (subject);

-- Destroying a row here erases everything of its subject, as far as no backup of this table is kept:
-- back it up apart from the others, and for a shorter time.
create table subject_keys (
  subject     text  primary key,
  wrapped_key bytea not null -- under the wrapping key of the key folder
);

-- Keyed hashes of keys that we issued. The keys themselves are nowhere.
create table secret_hashes (
  lookup_id      text  primary key,
  object_id      text  not null, -- the API key it belongs to
  pepper_version int   not null,
  hash           bytea not null  -- HMAC-SHA-256 under that pepper
);

-- From where a request came: personal, therefore beside the log and with an end.
create table request_log (
  request_id     uuid        primary key,
  client_address text        not null,
  user_agent     text        not null,
  at             timestamptz not null
);
create index on request_log (at);

grant select, insert, delete on personal_data, subject_keys, secret_hashes, request_log to pms_serve;
