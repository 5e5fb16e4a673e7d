-- Events $1 to $2 of a long log.
insert into events
select noun, noun || '-' || thing, sequence, kind, '1.0', (case
    when sequence > 1 and noun = 'policy_group' then
      jsonb_build_object('type', kind, 'name', 'Group ' || thing, 'description', 'Since ' || n)
    when sequence > 1 then jsonb_build_object('type', kind, 'reason', 'for the ' || sequence || 'th time')
    when noun = 'partner' then jsonb_build_object('type', kind, 'organization_name', 'Bank ' || md5(n::text),
      'partner_type', 'AUTH_PARTNER', 'policy_group_id', 'policy_group-' || 1 + n % 2000,
      'member', 'subject-' || thing, 'contact', jsonb_build_object(
        'reference', md5(n::text)::uuid, 'commitment', encode(sha256(n::text::bytea), 'base64')))
    when noun = 'policy_group' then
      jsonb_build_object('type', kind, 'name', 'Group ' || thing, 'description', 'Since ' || n)
    else jsonb_build_object('type', kind, 'partner_id', 'partner-' || 1 + n % 3000, 'policy_id', 'kyc',
      'label', 'branch ' || thing, 'lookup_id', substr(md5(n::text), 1, 12), 'last_four', 'a1b2',
      'expires_at', '2027-11-18T11:06:40.123456Z')
  end)::json, json_build_object('actor', 'admin', 'roles', 'PARTNER_ADMIN', 'actor_partner', '',
    'correlation_id', md5(n::text)::uuid, 'causation_id', md5(n::text)::uuid, 'request_id', md5(n::text)::uuid),
  n, timestamptz '2026-01-01' + n * interval '1 second'
from (select *, case
    when noun = 'policy_group' then case sequence when 1 then 'created' else 'updated' end
    when sequence = 1 then case noun when 'partner' then 'registered' else 'generated' end
    when sequence % 2 = 0 then 'suspended'
    else case noun when 'partner' then 'reactivated' else 'resumed' end end as kind
  from (select n, 1 + (n - 1) / 10000 as sequence, 1 + (n - 1) % 10000 as thing,
      case when (n - 1) % 10000 < 3000 then 'partner' when (n - 1) % 10000 < 5000 then 'policy_group'
        else 'api_key' end as noun
    from generate_series($1::bigint, $2::bigint) n) things) named
