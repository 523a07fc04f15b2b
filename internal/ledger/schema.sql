CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  experiment TEXT NOT NULL,
  grp        TEXT NOT NULL,
  state      TEXT NOT NULL,
  server     TEXT NOT NULL,
  fence      INTEGER NOT NULL,
  began      INTEGER NOT NULL,          -- Unix nanoseconds, as all times here
  ended      INTEGER                    -- NULL while active
) STRICT;
CREATE UNIQUE INDEX one_per_experiment ON runs(experiment) WHERE ended IS NULL;
CREATE UNIQUE INDEX one_per_group      ON runs(grp)        WHERE ended IS NULL;
CREATE INDEX runs_by_time ON runs(began);

CREATE TABLE entries (
  run   TEXT NOT NULL REFERENCES runs(id),
  seq   INTEGER NOT NULL,
  entry TEXT NOT NULL,                  -- JSON
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries BEGIN SELECT raise(ABORT, 'entries never change'); END;
CREATE TRIGGER entries_never_vanish BEFORE DELETE ON entries BEGIN SELECT raise(ABORT, 'entries never vanish'); END;

CREATE TABLE injections (
  id        TEXT PRIMARY KEY,
  run       TEXT NOT NULL REFERENCES runs(id),
  position  INTEGER NOT NULL,
  state     TEXT NOT NULL,
  injection TEXT NOT NULL               -- JSON with undo, until the run has ended
) STRICT;
CREATE INDEX injections_by_run ON injections(run, position);

CREATE TABLE keys (
  key       TEXT PRIMARY KEY,
  injection TEXT NOT NULL REFERENCES injections(id)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_by_injection ON keys(injection);

CREATE TABLE halt (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  by     TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT;

CREATE TABLE audit (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  at   INTEGER NOT NULL,
  by   TEXT NOT NULL,
  what TEXT NOT NULL
) STRICT;
CREATE TRIGGER audit_never_changes  BEFORE UPDATE ON audit BEGIN SELECT raise(ABORT, 'audit never changes'); END;
CREATE TRIGGER audit_never_vanishes BEFORE DELETE ON audit BEGIN SELECT raise(ABORT, 'audit never vanishes'); END;
