-- Acts of the audit never vanish, but the oldest when they are retired.
CREATE TABLE retiring_acts (before BIGINT NOT NULL);
CREATE FUNCTION only_retiring_acts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM retiring_acts WHERE OLD.at < before) THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'audit never vanishes';
END $$;
DROP TRIGGER audit_never_vanishes ON audit;
CREATE TRIGGER audit_never_vanishes BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION only_retiring_acts();
