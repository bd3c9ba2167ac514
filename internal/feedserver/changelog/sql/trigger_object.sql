CREATE OR REPLACE FUNCTION chef_sync.on_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR ({old_key}) IS DISTINCT FROM ({new_key})) THEN
      INSERT INTO chef_sync.outbox (kind, action, {columns}) SELECT '{kind}', 'd', {old_values} WHERE {old_is};
    END IF;
    IF TG_OP <> 'DELETE' THEN
      INSERT INTO chef_sync.outbox (kind, action, {columns})
      SELECT '{kind}', CASE WHEN TG_OP = 'UPDATE' AND ({old_key}) IS NOT DISTINCT FROM ({new_key}) THEN 'u' ELSE 'c' END::"char", {new_values} WHERE {new_is};
    END IF;
  {failed}
  END;
  RETURN NULL;
END $f$
