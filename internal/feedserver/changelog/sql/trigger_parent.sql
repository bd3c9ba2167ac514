CREATE OR REPLACE FUNCTION chef_sync.on_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  BEGIN
    INSERT INTO chef_sync.parents (kind, id, org_id, name) VALUES ('{kind}', NEW.id, NEW.org_id, NEW.name)
    ON CONFLICT (kind, id) DO UPDATE SET org_id = excluded.org_id, name = excluded.name;
    IF TG_OP = 'UPDATE' AND (OLD.id, OLD.org_id, OLD.name) IS DISTINCT FROM (NEW.id, NEW.org_id, NEW.name) THEN
      INSERT INTO chef_sync.outbox (kind, action) VALUES ('r', 'u');
    END IF;
  {failed}
  END;
  RETURN NULL;
END $f$
