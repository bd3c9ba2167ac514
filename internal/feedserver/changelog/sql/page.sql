-- The floor, the head, the epoch and the rows, all of one moment.
-- $1: the organization's name; $2: the number to start after; $3: the most rows, NULL = all.
-- LIMIT 1 tells the planner that there is one row: for the 520 that it takes a new table
-- to have, it would compile the statement, which takes a hundred times as long as to run it.
WITH org AS (
  SELECT o.id::text COLLATE "C" AS id, m.epoch::text AS epoch, coalesce(m.seeded, false) AS seeded,
         coalesce(s.head, 0) AS head, coalesce(s.floor, 0) AS floor,
         EXISTS (SELECT FROM generate_subscripts(s.jumps, 1) i WHERE i % 2 = 1 AND $2 > s.jumps[i] AND $2 <= s.jumps[i + 1]) AS undone
  FROM public.orgs o LEFT JOIN (SELECT epoch, seeded FROM chef_sync.meta LIMIT 1) m ON true
  LEFT JOIN chef_sync.organizations s ON s.org_id = o.id::text COLLATE "C"
  WHERE o.name = $1
)
SELECT org.id, org.epoch, org.seeded, org.head, org.floor, org.undone, c.seq, c.action, c.path
FROM org LEFT JOIN LATERAL (
  SELECT seq, path, CASE WHEN action = 'd' THEN 'delete' WHEN created_seq > $2 THEN 'create' ELSE 'update' END AS action
  FROM chef_sync.object_changes oc
  WHERE oc.org_id = org.id AND oc.seq > $2 AND ($2 = 0 OR $2 >= org.floor) AND NOT org.undone
  ORDER BY oc.org_id, oc.seq LIMIT $3
) c ON true
ORDER BY c.seq
