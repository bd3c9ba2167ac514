CREATE OR REPLACE FUNCTION chef_sync.on_keys() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  BEGIN
    IF TG_OP = 'DELETE' THEN
      INSERT INTO chef_sync.outbox (kind, action, ref) VALUES ('k', 'u', OLD.id);
    ELSE
      INSERT INTO chef_sync.outbox (kind, action, ref) VALUES ('k', 'u', NEW.id);
      IF TG_OP = 'UPDATE' AND OLD.id <> NEW.id THEN
        INSERT INTO chef_sync.outbox (kind, action, ref) VALUES ('k', 'u', OLD.id);
      END IF;
    END IF;
  {failed}
  END;
  RETURN NULL;
END $f$
