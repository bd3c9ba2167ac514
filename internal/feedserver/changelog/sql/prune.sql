-- Forgets tombstones that are older than $1, and says up to where.
WITH gone AS (
  DELETE FROM chef_sync.object_changes WHERE action = 'd' AND changed_at < $1 RETURNING org_id, seq
), floors AS (
  UPDATE chef_sync.organizations s SET floor = greatest(s.floor, g.seq)
  FROM (SELECT org_id, max(seq) AS seq FROM gone GROUP BY org_id) g WHERE s.org_id = g.org_id
)
SELECT count(*) FROM gone
