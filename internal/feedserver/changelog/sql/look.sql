-- What a pass has to know before it begins.
SELECT m.version, m.identity, m.capture, m.nodes, m.seeded, pg_current_snapshot()::text,
       EXISTS (SELECT FROM public.orgs o WHERE NOT EXISTS (SELECT FROM chef_sync.organizations s WHERE s.org_id = o.id::text)),
       EXISTS (SELECT FROM chef_sync.organizations s WHERE NOT EXISTS (SELECT FROM public.orgs o WHERE o.id::text = s.org_id))
FROM chef_sync.meta m
