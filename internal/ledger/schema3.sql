CREATE TABLE approvals (
  experiment TEXT PRIMARY KEY,          -- the latest one is what counts
  digest     TEXT NOT NULL,             -- of the plan
  by         TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         INTEGER NOT NULL,
  until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
