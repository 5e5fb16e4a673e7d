create table consent (
  id           text        primary key,
  version      bigint      not null,
  status       text        not null,
  text_version int         not null,
  at           timestamptz not null
);
