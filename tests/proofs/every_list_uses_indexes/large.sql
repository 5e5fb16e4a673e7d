-- A hundred thousand rows of what partners have, and a fifth of that of what administrators keep, as
-- no commands could bring about in the time of a test. A few partners, policies and groups have many
-- things, most have few.
create function pg_temp.at(n bigint) returns timestamptz immutable language sql as
  $$ select timestamptz '2026-01-01' + n * interval '3 minutes' $$;
create function pg_temp.word(n bigint) returns text immutable language sql as
  $$ select initcap(translate(md5(n::text), '0123456789', 'ghijklmnop')) $$;
create function pg_temp.uuid(kind text, n bigint) returns text immutable language sql as
  $$ select overlay(md5(kind || n)::uuid::text placing lpad(to_hex(n), 8, '0') from 1 for 8) $$;
-- Half of all things belong to one in a hundred.
create function pg_temp.owner(n bigint) returns bigint immutable language sql as
  $$ select case when n % 2 = 0 then 1 + n % 1000 else n end $$;
create function pg_temp.one_of(list text[], n bigint) returns text immutable language sql as
  $$ select list[1 + (hashint8(n) & 1048575) % cardinality(list)] $$;

insert into read.policy_group
  (id, version, status, name, description, created_at, created_by, updated_at)
select pg_temp.uuid('group', n), 1, pg_temp.one_of('{ACTIVE,ACTIVE,ACTIVE,INACTIVE}', n),
  'Group ' || pg_temp.word(n), 'For ' || pg_temp.word(n + 7), pg_temp.at(n), 'manager', pg_temp.at(n)
from generate_series(1, 20000) n;

insert into read.policy
  (id, version, status, policy_group_id, policy_type, name, description, policy_version, policies,
   published_at, created_at, created_by, updated_at)
select pg_temp.uuid('policy', n), 2,
  pg_temp.one_of('{PUBLISHED,PUBLISHED,PUBLISHED,DRAFT,DEACTIVATED}', n),
  pg_temp.uuid('group', 1 + pg_temp.owner(n) % 20000), pg_temp.one_of('{AUTH,AUTH,DATA_SHARE,MISP}', n),
  'Policy ' || pg_temp.word(n), 'For ' || pg_temp.word(n + 7), '1.0', '{}',
  pg_temp.at(n), pg_temp.at(n), 'manager', pg_temp.at(n)
from generate_series(1, 20000) n;

insert into read.partner
  (id, version, status, partner_type, organization_name, policy_group_id, members, member_roles,
   contacts, certificate_fingerprint, certificate_expires_at, certificate_uploaded_at,
   certificate_path, certificates, logo_url, created_at, created_by, updated_at)
select 'partner-' || n, 3, pg_temp.one_of('{ACTIVE,ACTIVE,ACTIVE,REGISTERED,SUSPENDED,DEACTIVATED}', n),
  pg_temp.one_of('{AUTH_PARTNER,AUTH_PARTNER,DEVICE_PROVIDER,FTM_PROVIDER,MISP_PARTNER}', n),
  pg_temp.word(n) || ' Bank',
  case when n % 3 > 0 then pg_temp.uuid('group', 1 + pg_temp.owner(n) % 20000) end,
  array['subject-' || n], '{}', '{}',
  case when n % 4 > 0 then md5(n::text) end,
  case when n % 4 > 0 then timestamptz '2026-06-01' + n * interval '5 minutes' end,
  case when n % 4 > 0 then pg_temp.at(n) end, '[]',
  '[]', repeat('https://bank.example/', 40),
  pg_temp.at(n), 'admin', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.policy_request
  (id, version, status, partner_id, policy_id, comment, credential_type, extractors, submitted_at,
   decided_at, decided_by, created_at, created_by, updated_at)
select pg_temp.uuid('request', n), 2,
  pg_temp.one_of('{APPROVED,APPROVED,APPROVED,APPROVED,PENDING,REJECTED,DRAFT,WITHDRAWN}', n),
  'partner-' || pg_temp.owner(n), pg_temp.uuid('policy', 1 + pg_temp.owner(n) % 20000),
  'We want to ' || pg_temp.word(n), case when n % 5 = 0 then pg_temp.one_of('{euin,vercred}', n) end, '[]',
  case when n % 20 > 0 then pg_temp.at(n) end, case when n % 3 > 0 then pg_temp.at(n + 9) end,
  case when n % 3 > 0 then 'admin-' || n % 50 end, pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.api_key
  (id, version, status, partner_id, policy_id, label, lookup_id, last_four, expires_at, created_at,
   created_by, updated_at)
select pg_temp.uuid('key', n), 1, pg_temp.one_of('{ACTIVE,ACTIVE,SUSPENDED,DEACTIVATED}', n),
  'partner-' || pg_temp.owner(n), pg_temp.uuid('policy', 1 + pg_temp.owner(n) % 20000),
  'Label ' || pg_temp.word(n), left(md5(n::text), 12), right(md5(n::text), 4),
  timestamptz '2026-06-01' + n * interval '5 minutes', pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.misp_license
  (id, version, status, partner_id, policy_id, label, lookup_id, last_four, expires_at, created_at,
   created_by, updated_at)
select pg_temp.uuid('license', n), 1, pg_temp.one_of('{ACTIVE,ACTIVE,SUSPENDED,DEACTIVATED}', n),
  'partner-' || pg_temp.owner(n),
  case when n % 3 > 0 then pg_temp.uuid('policy', 1 + pg_temp.owner(n) % 20000) end,
  'Label ' || pg_temp.word(n), left(md5(n::text), 12), right(md5(n::text), 4),
  timestamptz '2026-06-01' + n * interval '5 minutes', pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.oidc_client
  (id, version, status, partner_id, policy_id, name, names, logo_uri, redirect_uris, grant_types,
   auth_methods, claims, acr_values, public_keys, created_at, created_by, updated_at)
select left(md5('client' || n) || md5(n::text), 43), 1,
  pg_temp.one_of('{ACTIVE,ACTIVE,SUSPENDED,DEACTIVATED}', n),
  'partner-' || pg_temp.owner(n), pg_temp.uuid('policy', 1 + pg_temp.owner(n) % 20000),
  'Name ' || pg_temp.word(n), '[]', 'https://bank.example/logo.png', '{https://bank.example}',
  '{AUTHORIZATION_CODE}', '{PRIVATE_KEY_JWT}', '{}', '{}', '[]', pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.sbi
  (id, version, status, partner_id, sw_version, sw_binary_hash, sw_create_date_time,
   sw_expiry_date_time, device_count, created_at, created_by, updated_at)
select pg_temp.uuid('sbi', n), 1, pg_temp.one_of('{APPROVED,APPROVED,PENDING,REJECTED,DEACTIVATED}', n),
  'partner-' || pg_temp.owner(n), n % 900 || '.' || n % 7, md5(n::text), pg_temp.at(n),
  timestamptz '2026-06-01' + n * interval '5 minutes', n % 50, pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.device
  (id, version, status, partner_id, device_type, device_sub_type, make, model, sbi_ids, created_at,
   created_by, updated_at)
select pg_temp.uuid('device', n), 1,
  pg_temp.one_of('{APPROVED,APPROVED,PENDING,REJECTED,DEACTIVATED}', n), 'partner-' || pg_temp.owner(n),
  pg_temp.one_of('{Finger,Iris,Face}', n), pg_temp.one_of('{Slap,Single,Touchless}', n),
  'Make ' || pg_temp.word(n % 300), 'Model ' || pg_temp.word(n),
  case when n % 9 > 0 then array[pg_temp.uuid('sbi', pg_temp.owner(n))] else '{}' end,
  pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.ftm_chip
  (id, version, status, partner_id, make, model, certificate_expires_at, certificate_path,
   certificates, created_at, created_by, updated_at)
select pg_temp.uuid('chip', n), 1,
  pg_temp.one_of('{APPROVED,APPROVED,PENDING,PENDING_CERTIFICATE,REJECTED}', n),
  'partner-' || pg_temp.owner(n), 'Make ' || pg_temp.word(n % 300), 'Model ' || pg_temp.word(n),
  case when n % 5 > 0 then timestamptz '2026-06-01' + n * interval '5 minutes' end, '[]', '[]',
  pg_temp.at(n), 'subject', pg_temp.at(n)
from generate_series(1, 100000) n;

insert into read.extractor
  (id, version, status, name, provider, provider_version, modality, attribute_name, created_at,
   created_by, updated_at)
select pg_temp.uuid('extractor', n), 1, pg_temp.one_of('{ACTIVE,ACTIVE,ACTIVE,DELETED}', n),
  'Extractor ' || pg_temp.word(n), 'Provider ' || pg_temp.word(n % 300), n % 40 || '.' || n % 7,
  pg_temp.one_of('{FACE,IRIS,FINGER}', n), 'a', pg_temp.at(n), 'admin', pg_temp.at(n)
from generate_series(1, 20000) n;

insert into read.trust_certificate
  (id, version, status, partner_domain, kind, fingerprint, issuer_fingerprint, key_fingerprint, serial,
   certificate_data, issued_to, issued_by, valid_from, valid_till, crl_revoked_count, revoked_serials,
   created_at, created_by, updated_at)
select pg_temp.uuid('trust', n), 1, pg_temp.one_of('{ACTIVE,ACTIVE,ACTIVE,DISABLED,REVOKED}', n),
  pg_temp.one_of('{AUTH,AUTH,DEVICE,FTM}', n), pg_temp.one_of('{ROOT,INTERMEDIATE,INTERMEDIATE}', n),
  md5(n::text) || md5((n + 1)::text), md5((n % 50)::text), md5(n::text), to_hex(n), repeat(md5(n::text), 20),
  'CN=' || pg_temp.word(n) || ' CA', 'CN=' || pg_temp.word(n % 500) || ' Root', pg_temp.at(n),
  timestamptz '2026-06-01' + n * interval '5 minutes', 0, '{}', pg_temp.at(n), 'admin', pg_temp.at(n)
from generate_series(1, 20000) n;

insert into read.proposal
  (id, version, status, action, target, input, proposed_by, expires_at, created_at, updated_at)
select pg_temp.uuid('proposal', n), 1, pg_temp.one_of('{OPEN,CONFIRMED,CONFIRMED,REFUSED,LAPSED}', n),
  pg_temp.one_of('{DEACTIVATE_PARTNER,DEACTIVATE_POLICY,UPLOAD_TRUST_CERTIFICATE}', n),
  'partner-' || n, '{}', 'admin-' || n % 500, timestamptz '2026-06-01' + n * interval '5 minutes',
  pg_temp.at(n), pg_temp.at(n)
from generate_series(1, 20000) n;

insert into events
  (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
   recorded_at)
select s.type, s.id, 1, case when n % 500 = 0 then 'rejected' else s.event end, '1.0', '{}',
  json_build_object('actor', 'subject-' || pg_temp.owner(n), 'roles', '', 'actor_partner', '',
    'correlation_id', pg_temp.uuid('wish', n / 3), 'causation_id', '', 'request_id', ''),
  n * 4 + s.place, pg_temp.at(n)
from generate_series(1, 25000) n, lateral (values
  (0, 'partner', 'partner-' || n, 'registered'),
  (1, 'policy_request', pg_temp.uuid('request', n), 'submitted'),
  (2, 'api_key', pg_temp.uuid('key', n), 'generated'),
  (3, 'device', pg_temp.uuid('device', n), 'added')) s (place, type, id, event);

insert into refused_attempts
  (id, at, actor, roles, actor_partners, operation, noun, entity_id, codes, fields, correlation_id,
   request_id)
select pg_temp.uuid('attempt', n), pg_temp.at(n), 'subject-' || pg_temp.owner(n), '{AUTH_PARTNER}', '{}',
  pg_temp.one_of('{suspendPartner,generateApiKey,generateApiKey,registerPartner}', n),
  pg_temp.one_of('{partner,api_key,policy_request}', n), 'partner-' || pg_temp.owner(n),
  array[case when n % 500 = 0 then 'LABEL_TAKEN' when n % 2 = 0 then 'FORBIDDEN' else 'EMPTY' end], '{""}',
  pg_temp.uuid('wish', n), pg_temp.uuid('request', n)::uuid
from generate_series(1, 100000) n;
