--# the schema of chef-sync; everything of ours is in it, and nothing of Chef's
CREATE SCHEMA IF NOT EXISTS chef_sync;

--# one row: which numbering this is and how changes are captured
CREATE TABLE IF NOT EXISTS chef_sync.meta (
  one          boolean PRIMARY KEY DEFAULT true CHECK (one),
  version      integer NOT NULL,
  epoch        uuid NOT NULL DEFAULT gen_random_uuid(),
  identity     jsonb NOT NULL DEFAULT '{}',             -- of the database that the epoch belongs to
  capture      text NOT NULL CHECK (capture IN ('snapshot', 'triggers')),
  fallback     text NOT NULL DEFAULT '',                -- why the capture is not by triggers any more
  nodes        boolean NOT NULL,
  seeded       boolean NOT NULL DEFAULT false,          -- false: the log is to be compared with all there is
  installed_at timestamptz NOT NULL DEFAULT now()
);

--# per organization the highest number given out, and the highest of a forgotten tombstone
CREATE TABLE IF NOT EXISTS chef_sync.organizations (
  org_id text COLLATE "C" PRIMARY KEY,
  head   bigint NOT NULL,
  floor  bigint NOT NULL,
  base   bigint NOT NULL DEFAULT 0,                     -- the next number is above it, too
  jumps  bigint[] NOT NULL DEFAULT '{}'                 -- pairs: above the first, up to the second nothing was given out
) WITH (fillfactor = 50);

--# brings that up to date
DO $d$ BEGIN -- only if it is of version 1: a table is not altered while others read it
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'chef_sync.organizations'::regclass AND attname = 'jumps' AND NOT attisdropped) THEN
    ALTER TABLE chef_sync.organizations ADD COLUMN base bigint NOT NULL DEFAULT 0, ADD COLUMN jumps bigint[] NOT NULL DEFAULT '{}';
  END IF;
END $d$;

--# the log: the last change of each path
CREATE TABLE IF NOT EXISTS chef_sync.object_changes (
  org_id      text COLLATE "C" NOT NULL,
  path        text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  created_seq bigint NOT NULL,                          -- the number of its last creation
  action      "char" NOT NULL,                          -- c u d
  version     text COLLATE "C",                         -- of its rows; NULL: not known
  changed_at  timestamptz NOT NULL,
  PRIMARY KEY (org_id, path)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

--# pages are read by number
CREATE UNIQUE INDEX IF NOT EXISTS object_changes_seq ON chef_sync.object_changes (org_id, seq);

--# tombstones are forgotten by age
CREATE INDEX IF NOT EXISTS object_changes_tombstones ON chef_sync.object_changes (changed_at) WHERE action = 'd';

--# what triggers saw and nobody has numbered; its ids are no numbers of the log
CREATE TABLE IF NOT EXISTS chef_sync.outbox (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind       "char" NOT NULL,                           -- o object, c a version below a parent, k key, t truncated, r compare all
  action     "char" NOT NULL,                           -- c u d
  org_id     text COLLATE "C",
  ref        text COLLATE "C",                          -- o: path, c a: last name of the path, k: id of the key's owner
  parent     bigint,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

--# the names of cookbooks and artifacts, which are gone when the trigger of their last version runs
CREATE TABLE IF NOT EXISTS chef_sync.parents (
  kind   "char" NOT NULL,
  id     bigint NOT NULL,
  org_id text COLLATE "C" NOT NULL,
  name   text COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, id)
);

--# counts triggers that failed; a sequence, because it outlives a transaction that is rolled back
CREATE SEQUENCE IF NOT EXISTS chef_sync.trigger_failures;

--# which rights on Chef's tables were granted, to take them back
CREATE TABLE IF NOT EXISTS chef_sync.grants (
  role    text NOT NULL,
  tbl     text NOT NULL,
  columns text NOT NULL
);

--# a log that is emptied by hand is another log
CREATE OR REPLACE FUNCTION chef_sync.on_own_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  UPDATE chef_sync.meta SET epoch = gen_random_uuid(), seeded = false;
  UPDATE chef_sync.organizations s SET head = x.seq, floor = x.seq, jumps = '{}'
  FROM (SELECT org_id AS id, greatest(head + 1, base + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) AS seq FROM chef_sync.organizations) x
  WHERE s.org_id = x.id;
  RETURN NULL;
END $f$;

--# watches the log
DO $d$ BEGIN -- a trigger is not made anew: everybody who writes would wait for whoever holds the table
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = 'chef_sync.object_changes'::regclass AND tgname = 'chef_sync_truncate' AND tgenabled <> 'D') THEN
    DROP TRIGGER IF EXISTS chef_sync_truncate ON chef_sync.object_changes;
    CREATE TRIGGER chef_sync_truncate AFTER TRUNCATE ON chef_sync.object_changes FOR EACH STATEMENT EXECUTE FUNCTION chef_sync.on_own_truncate();
  END IF;
END $d$;

--# watches the heads and floors
DO $d$ BEGIN -- a trigger is not made anew: everybody who writes would wait for whoever holds the table
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = 'chef_sync.organizations'::regclass AND tgname = 'chef_sync_truncate' AND tgenabled <> 'D') THEN
    DROP TRIGGER IF EXISTS chef_sync_truncate ON chef_sync.organizations;
    CREATE TRIGGER chef_sync_truncate AFTER TRUNCATE ON chef_sync.organizations FOR EACH STATEMENT EXECUTE FUNCTION chef_sync.on_own_truncate();
  END IF;
END $d$;

--# watches the outbox
DO $d$ BEGIN -- a trigger is not made anew: everybody who writes would wait for whoever holds the table
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = 'chef_sync.outbox'::regclass AND tgname = 'chef_sync_truncate' AND tgenabled <> 'D') THEN
    DROP TRIGGER IF EXISTS chef_sync_truncate ON chef_sync.outbox;
    CREATE TRIGGER chef_sync_truncate AFTER TRUNCATE ON chef_sync.outbox FOR EACH STATEMENT EXECUTE FUNCTION chef_sync.on_own_truncate();
  END IF;
END $d$;
