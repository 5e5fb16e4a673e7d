-- What is kept about one person can be told without reading the whole log: the partners that he
-- belonged to. Who acted has its index since 0003.
create index events_of_members on events (coalesce(payload->>'subject', payload->>'member'), position)
  where aggregate_type = 'partner'
    and event_type in ('registered', 'member_invited', 'member_role_set', 'member_removed');
