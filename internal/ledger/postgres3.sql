-- Whoever has waited longest goes first.
ALTER TABLE schedules ADD COLUMN since  BIGINT;                    -- when the oldest time was due that it did not get; NULL: it had its turn
ALTER TABLE schedules ADD COLUMN turn   BIGINT;                      -- when it began last; NULL: never
ALTER TABLE schedules ADD COLUMN queued BIGINT;                    -- the tick that it is in the queue for; NULL, or another than its own: it is not
ALTER TABLE schedules ADD COLUMN wants  TEXT NOT NULL DEFAULT ''; -- what it waits for, a line each
ALTER TABLE schedules ADD COLUMN why    TEXT NOT NULL DEFAULT ''; -- in words

ALTER TABLE sources ADD COLUMN reached BIGINT;                       -- when it last answered; NULL: not known
ALTER TABLE sources ADD COLUMN holds   TEXT NOT NULL DEFAULT '';  -- why none of its schedules runs; empty if they do
