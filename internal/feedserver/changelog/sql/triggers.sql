-- Our triggers on Chef's tables, and whether they fire always.
SELECT c.relname::text, t.tgname::text, t.tgenabled = 'A'
FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND t.tgname IN ('chef_sync_row', 'chef_sync_truncate') AND NOT t.tgisinternal
