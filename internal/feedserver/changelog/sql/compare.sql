-- Compares what there is with the log and numbers the difference.
-- $1: the organizations, NULL = all; $2: a pattern of paths to leave alone, '' = none.
WITH live AS MATERIALIZED (
  SELECT o.id::text COLLATE "C" AS org_id, x.path, x.version
  FROM (
  {live}
  ) x JOIN public.orgs o ON o.id = x.org_id
  WHERE $1::text[] IS NULL OR o.id::text = ANY ($1::text[])
), known AS (
  SELECT c.org_id, c.path, c.version, c.action
  FROM chef_sync.object_changes c JOIN public.orgs o ON o.id::text COLLATE "C" = c.org_id
  WHERE ($1::text[] IS NULL OR c.org_id = ANY ($1::text[])) AND ($2::text = '' OR c.path !~ $2::text)
), differs AS (
  SELECT coalesce(l.org_id, k.org_id) AS org_id, coalesce(l.path, k.path) AS path, l.version,
         CASE WHEN l.path IS NULL THEN 'd' WHEN k.path IS NULL OR k.action = 'd' THEN 'c' ELSE 'u' END::"char" AS action
  FROM live l FULL JOIN known k ON k.org_id = l.org_id AND k.path = l.path
  WHERE CASE WHEN l.path IS NULL THEN k.action <> 'd'
             ELSE k.path IS NULL OR k.action = 'd' OR k.version IS DISTINCT FROM l.version END
), numbered AS (
  SELECT d.*, greatest(s.head, s.base) + row_number() OVER (PARTITION BY d.org_id ORDER BY d.path) AS seq
  FROM differs d JOIN chef_sync.organizations s ON s.org_id = d.org_id
), written AS (
  INSERT INTO chef_sync.object_changes AS c (org_id, path, seq, created_seq, action, version, changed_at)
  SELECT org_id, path, seq, seq, action, version, clock_timestamp() FROM numbered
  ON CONFLICT (org_id, path) DO UPDATE SET seq = excluded.seq, action = excluded.action,
    version = excluded.version, changed_at = excluded.changed_at,
    created_seq = CASE WHEN excluded.action = 'c' THEN excluded.seq ELSE c.created_seq END
), heads AS (
  UPDATE chef_sync.organizations s SET head = n.seq, jumps = CASE WHEN s.base > s.head THEN s.jumps || ARRAY[s.head, s.base] ELSE s.jumps END
  FROM (SELECT org_id, max(seq) AS seq FROM numbered GROUP BY org_id) n WHERE s.org_id = n.org_id
)
SELECT count(*) FROM numbered
