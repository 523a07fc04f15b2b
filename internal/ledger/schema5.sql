-- Acts of the audit never vanish, but the oldest when they are retired.
CREATE TABLE retiring_acts (before INTEGER NOT NULL) STRICT;
DROP TRIGGER audit_never_vanishes;
CREATE TRIGGER audit_never_vanishes BEFORE DELETE ON audit WHEN NOT EXISTS (SELECT 1 FROM retiring_acts WHERE OLD.at < before)
  BEGIN SELECT raise(ABORT, 'audit never vanishes'); END;
