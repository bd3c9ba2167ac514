EXCEPTION WHEN OTHERS THEN
    -- Chef's write goes on, whatever is wrong with us. The count makes the capture go on by snapshots.
    BEGIN
      RAISE LOG 'chef_sync: % on % is not captured: %', TG_OP, TG_TABLE_NAME, SQLERRM;
      PERFORM nextval('chef_sync.trigger_failures');
    EXCEPTION WHEN OTHERS THEN
      NULL;
    END;
