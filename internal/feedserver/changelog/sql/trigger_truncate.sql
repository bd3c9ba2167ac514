CREATE OR REPLACE FUNCTION chef_sync.on_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  BEGIN
    INSERT INTO chef_sync.outbox (kind, action) VALUES ('t', 'd');
  {failed}
  END;
  RETURN NULL;
END $f$
