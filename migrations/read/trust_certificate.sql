create table trust_certificate (
  id                 text        primary key,
  version            bigint      not null,
  status             text        not null,
  status_reason      text,
  partner_domain     text        not null,
  kind               text        not null,
  fingerprint        text        not null,
  issuer_fingerprint text        not null,
  key_fingerprint    text        not null,
  serial             text        not null,
  certificate_data   text        not null,
  issued_to          text        not null,
  issued_by          text        not null,
  valid_from         timestamptz not null,
  valid_till         timestamptz not null,
  crl_number         text,
  crl_this_update    timestamptz,
  crl_next_update    timestamptz,
  crl_revoked_count  integer     not null,
  revoked_serials    text[]      not null,
  next_expiry        timestamptz,
  created_at         timestamptz not null,
  created_by         text        not null,
  updated_at         timestamptz not null
);
create index on trust_certificate (created_at, id);
create index on trust_certificate (updated_at, id);
create index on trust_certificate (status, id);
create index on trust_certificate (kind, id);
create index on trust_certificate (partner_domain, id);
create index on trust_certificate (partner_domain, status);
create index on trust_certificate (partner_domain, fingerprint);
create index on trust_certificate (partner_domain, issuer_fingerprint);
create index on trust_certificate (valid_till, id);
create index on trust_certificate (next_expiry) where next_expiry is not null;
create index on trust_certificate (valid_from, id);
create index on trust_certificate (lower(issued_to), id);
create index on trust_certificate (lower(issued_by), id);
create index on trust_certificate using gin (lower(id) gin_trgm_ops, lower(fingerprint) gin_trgm_ops, lower(issued_to) gin_trgm_ops, lower(issued_by) gin_trgm_ops);
