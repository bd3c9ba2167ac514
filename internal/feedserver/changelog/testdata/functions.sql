-- What Chef's schema has besides tables, as far as changes of objects go through it:
-- the keys of clients and users follow their rows, and a version of an artifact is
-- written and deleted by functions. The deletion takes the version and the artifact
-- in one statement.
CREATE FUNCTION add_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.public_key IS NOT NULL AND NEW.public_key <> 'this_is_not_a_key' THEN
    INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at)
    VALUES (NEW.id, 'default', NEW.public_key, NEW.pubkey_version, now(), 'infinity');
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION update_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.public_key IS NULL THEN
    DELETE FROM keys WHERE id = NEW.id AND key_name = 'default';
  ELSIF NEW.public_key <> 'this_is_not_a_key' THEN
    INSERT INTO keys (id, key_name, public_key, key_version, created_at, expires_at)
    VALUES (NEW.id, 'default', NEW.public_key, NEW.pubkey_version, now(), 'infinity')
    ON CONFLICT (id, key_name) DO UPDATE SET public_key = excluded.public_key, key_version = excluded.key_version;
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION delete_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM keys WHERE id = OLD.id;
  RETURN NULL;
END $$;

CREATE TRIGGER add_key AFTER INSERT ON clients FOR EACH ROW EXECUTE FUNCTION add_key();
CREATE TRIGGER update_key AFTER UPDATE ON clients FOR EACH ROW EXECUTE FUNCTION update_key();
CREATE TRIGGER delete_keys AFTER DELETE ON clients FOR EACH ROW EXECUTE FUNCTION delete_keys();
CREATE TRIGGER add_key AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION add_key();
CREATE TRIGGER update_key AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION update_key();
CREATE TRIGGER delete_keys AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION delete_keys();

CREATE FUNCTION insert_cookbook_artifact_version(identifier varchar, metadata bytea, serialized_object bytea, created_at timestamp,
  created_by char, org char, artifact text, authz char, checksums char(32)[]) RETURNS SETOF cookbook_artifact_versions LANGUAGE plpgsql AS $$
DECLARE parent integer;
BEGIN
  SELECT id INTO parent FROM cookbook_artifacts a WHERE a.org_id = org AND a.name = artifact;
  IF NOT FOUND THEN
    INSERT INTO cookbook_artifacts (org_id, name, authz_id) VALUES (org, artifact, authz) RETURNING id INTO parent;
  END IF;
  RETURN QUERY INSERT INTO cookbook_artifact_versions (identifier, metadata, serialized_object, created_at, created_by, cookbook_artifact_id)
    VALUES ($1, $2, $3, $4, $5, parent) RETURNING *;
END $$;

CREATE FUNCTION delete_cookbook_artifact_version(version bigint) RETURNS TABLE (checksum_to_delete char(32)) LANGUAGE plpgsql AS $$
BEGIN
  WITH gone AS (
    DELETE FROM cookbook_artifact_versions v WHERE v.id = version RETURNING v.cookbook_artifact_id AS id
  )
  DELETE FROM cookbook_artifacts a USING gone
  WHERE a.id = gone.id AND NOT EXISTS (SELECT FROM cookbook_artifact_versions v WHERE v.cookbook_artifact_id = a.id AND v.id <> version);
  RETURN;
END $$;
