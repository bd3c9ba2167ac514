CREATE OR REPLACE FUNCTION chef_sync.remove_triggers(tbl text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
BEGIN
  IF to_regclass(format('public.%I', tbl)) IS NOT NULL THEN
    EXECUTE format('DROP TRIGGER IF EXISTS chef_sync_row ON public.%I', tbl);
    EXECUTE format('DROP TRIGGER IF EXISTS chef_sync_truncate ON public.%I', tbl);
  END IF;
END $f$
