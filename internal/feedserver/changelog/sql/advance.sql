-- Takes what is committed from the outbox and numbers it; one number per path, for
-- its last change. $1: the most rows to take.
--
-- The changes of one path are in the order of their ids: the writer of the later one
-- waited for the end of the earlier one before its trigger ran. That is not so of a
-- key and its client, so a key's row says no more than whose key it is, and counts
-- only while there is such a client.
WITH taken AS (
  DELETE FROM chef_sync.outbox WHERE id IN (SELECT id FROM chef_sync.outbox ORDER BY id LIMIT $1)
  RETURNING id, kind, action, org_id, ref, parent, changed_at
), resolved AS (
  SELECT t.id, t.action, t.org_id, t.ref AS path, t.changed_at FROM taken t WHERE t.kind = 'o'
  UNION ALL
  SELECT t.id, t.action, p.org_id, CASE t.kind WHEN 'c' THEN {cookbook} ELSE {artifact} END, t.changed_at
  FROM taken t JOIN chef_sync.parents p ON p.kind = t.kind AND p.id = t.parent
  WHERE t.kind IN ('c', 'a') AND strpos(p.name, '/') = 0
  UNION ALL
  SELECT t.id, 'u', c.org_id::text, {client}, t.changed_at
  FROM taken t JOIN public.clients c ON c.id = t.ref WHERE t.kind = 'k' AND strpos(c.name, '/') = 0
), folded AS (
  SELECT org_id, path, max(id) AS id, (array_agg(action ORDER BY id DESC))[1] AS action,
         bool_or(action = 'c') AS created, max(changed_at) AS changed_at
  FROM resolved GROUP BY org_id, path
), numbered AS (
  SELECT f.*, greatest(s.head, s.base) + row_number() OVER (PARTITION BY f.org_id ORDER BY f.id, f.path) AS seq
  FROM folded f JOIN chef_sync.organizations s ON s.org_id = f.org_id
), written AS (
  INSERT INTO chef_sync.object_changes AS c (org_id, path, seq, created_seq, action, version, changed_at)
  SELECT org_id, path, seq, seq, action, NULL, changed_at FROM numbered
  ON CONFLICT (org_id, path) DO UPDATE SET seq = excluded.seq, action = excluded.action,
    version = NULL, changed_at = excluded.changed_at,
    created_seq = CASE WHEN c.action = 'd' OR excluded.action = 'c' THEN excluded.seq ELSE c.created_seq END
), heads AS (
  UPDATE chef_sync.organizations s SET head = n.seq, jumps = CASE WHEN s.base > s.head THEN s.jumps || ARRAY[s.head, s.base] ELSE s.jumps END
  FROM (SELECT org_id, max(seq) AS seq FROM numbered GROUP BY org_id) n WHERE s.org_id = n.org_id
)
SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM numbered),
       (SELECT count(*) FROM taken WHERE kind = 't'),
       (SELECT count(*) FROM taken t WHERE kind = 'r' OR kind IN ('c', 'a')
          AND NOT EXISTS (SELECT FROM chef_sync.parents p WHERE p.kind = t.kind AND p.id = t.parent))
