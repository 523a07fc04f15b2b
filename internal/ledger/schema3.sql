CREATE TABLE approvals (
  experiment TEXT PRIMARY KEY,          -- the latest one is what counts
  digest     TEXT NOT NULL,             -- of the plan
  by         TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE told (                     -- what was announced, so that of several servers one does it
  what TEXT PRIMARY KEY,
  at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
