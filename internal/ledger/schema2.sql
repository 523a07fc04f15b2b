ALTER TABLE runs ADD COLUMN verdict    TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN cause      TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN reason     TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN kind       TEXT NOT NULL DEFAULT 'hand';  -- of its trigger
ALTER TABLE runs ADD COLUMN tick       INTEGER;                       -- of its schedule
ALTER TABLE runs ADD COLUMN footprints TEXT NOT NULL DEFAULT '[]';    -- JSON
CREATE UNIQUE INDEX one_per_tick ON runs(experiment, tick) WHERE tick IS NOT NULL;
CREATE INDEX runs_by_experiment ON runs(experiment, began);

CREATE TABLE schedules (
  experiment TEXT PRIMARY KEY,
  source     TEXT NOT NULL,
  spec       TEXT NOT NULL,             -- digest of the schedule: another one begins anew
  tick       INTEGER NOT NULL,          -- the next time
  due        INTEGER NOT NULL,          -- and when it is looked at: with jitter, or later while it waits
  advanced   INTEGER NOT NULL           -- when this was written, to notice a clock that went back
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_by_due ON schedules(due);

-- Entries never vanish, but with their whole run when that is retired.
CREATE TABLE retiring (run TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
DROP TRIGGER entries_never_vanish;
CREATE TRIGGER entries_never_vanish BEFORE DELETE ON entries WHEN NOT EXISTS (SELECT 1 FROM retiring WHERE run = OLD.run)
  BEGIN SELECT raise(ABORT, 'entries never vanish'); END;

CREATE TABLE locks (
  experiment TEXT PRIMARY KEY,
  run        TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revisions (
  seq    INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  rev    TEXT NOT NULL,                 -- commit; empty outside git
  digest TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT;
CREATE INDEX revisions_by_source ON revisions(source, seq);

CREATE TABLE stops (
  run    TEXT PRIMARY KEY REFERENCES runs(id),
  by     TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE sources (
  name    TEXT PRIMARY KEY,
  server  TEXT NOT NULL,                -- who looked last
  looked  INTEGER NOT NULL,
  problem TEXT NOT NULL                 -- why what is there is not in force; empty if it is
) STRICT, WITHOUT ROWID;
