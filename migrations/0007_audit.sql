-- What is sealed of the log: see domain/src/audit.rs. `pms audit verify` trusts none of it.

-- The tree over the log in tiles of up to 256 hashes (C2SP tlog-tiles). One that is full stays as it is.
create table log_tiles (
  level  smallint not null, -- from 0 at the leaves
  index  bigint   not null, -- from 0 within the level
  hashes bytea    not null check (octet_length(hashes) between 32 and 8192 and octet_length(hashes) % 32 = 0),
  primary key (level, index)
);

-- Its heads that were signed, one for each size.
create table log_checkpoints (
  size         bigint      primary key, -- how many events it covers: positions 1 to size
  note         text        not null,    -- C2SP tlog-checkpoint under all signatures and cosignatures
  signed_at    timestamptz not null,    -- last: what stands still is signed again from time to time
  witnessed_at timestamptz              -- since when the witnesses suffice that the policy asks for
);
create index on log_checkpoints (size) where witnessed_at is not null;

insert into followers (name) values ('examination'), ('sealing'), ('witnessing');

grant select, insert, update on log_tiles, log_checkpoints to pms_serve;
