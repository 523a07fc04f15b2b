CREATE TABLE runs (
  id         TEXT PRIMARY KEY,
  experiment TEXT NOT NULL,
  grp        TEXT NOT NULL,
  state      TEXT NOT NULL,
  server     TEXT NOT NULL,
  fence      BIGINT NOT NULL,
  began      BIGINT NOT NULL,           -- Unix nanoseconds, as all times but leases
  ended      BIGINT,                    -- NULL while active
  verdict    TEXT NOT NULL DEFAULT '',
  cause      TEXT NOT NULL DEFAULT '',
  reason     TEXT NOT NULL DEFAULT '',
  kind       TEXT NOT NULL DEFAULT 'hand',
  tick       BIGINT,
  footprints TEXT NOT NULL DEFAULT '[]'
);
CREATE UNIQUE INDEX one_per_experiment ON runs(experiment) WHERE ended IS NULL;
CREATE UNIQUE INDEX one_per_group      ON runs(grp)        WHERE ended IS NULL;
CREATE UNIQUE INDEX one_per_tick       ON runs(experiment, tick) WHERE tick IS NOT NULL;
CREATE INDEX runs_by_time       ON runs(began);
CREATE INDEX runs_by_experiment ON runs(experiment, began);
CREATE INDEX runs_active        ON runs(server) WHERE ended IS NULL;

CREATE TABLE entries (
  run   TEXT NOT NULL REFERENCES runs(id),
  seq   BIGINT NOT NULL,
  entry TEXT NOT NULL,
  PRIMARY KEY (run, seq)
);
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% never %', TG_TABLE_NAME, TG_ARGV[0]; END $$;
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries FOR EACH ROW EXECUTE FUNCTION never('change');
CREATE TABLE retiring (run TEXT PRIMARY KEY);
CREATE FUNCTION only_retiring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF EXISTS (SELECT 1 FROM retiring WHERE run = OLD.run) THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'entries never vanish';
END $$;
CREATE TRIGGER entries_never_vanish BEFORE DELETE ON entries FOR EACH ROW EXECUTE FUNCTION only_retiring();

CREATE TABLE injections (
  id        TEXT PRIMARY KEY,
  run       TEXT NOT NULL REFERENCES runs(id),
  position  BIGINT NOT NULL,
  state     TEXT NOT NULL,
  injection TEXT NOT NULL
);
CREATE INDEX injections_by_run ON injections(run, position);

CREATE TABLE keys (
  key       TEXT PRIMARY KEY,
  injection TEXT NOT NULL REFERENCES injections(id)
);
CREATE INDEX keys_by_injection ON keys(injection);

CREATE TABLE halt (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  by     TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     BIGINT NOT NULL
);

CREATE TABLE audit (
  id   BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at   BIGINT NOT NULL,
  by   TEXT NOT NULL,
  what TEXT NOT NULL
);
CREATE TRIGGER audit_never_changes  BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION never('change');
CREATE TRIGGER audit_never_vanishes BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION never('vanish');

CREATE TABLE schedules (
  experiment TEXT PRIMARY KEY,
  source     TEXT NOT NULL,
  spec       TEXT NOT NULL,
  tick       BIGINT NOT NULL,
  due        BIGINT NOT NULL,
  advanced   BIGINT NOT NULL
);
CREATE INDEX schedules_by_due ON schedules(due);

CREATE TABLE locks (
  experiment TEXT PRIMARY KEY,
  run        TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         BIGINT NOT NULL
);

CREATE TABLE revisions (
  seq    BIGINT PRIMARY KEY,
  source TEXT NOT NULL,
  rev    TEXT NOT NULL,
  digest TEXT NOT NULL,
  at     BIGINT NOT NULL
);
CREATE INDEX revisions_by_source ON revisions(source, seq);

CREATE TABLE sources (
  name    TEXT PRIMARY KEY,
  server  TEXT NOT NULL,
  looked  BIGINT NOT NULL,
  problem TEXT NOT NULL
);

CREATE TABLE stops (
  run    TEXT PRIMARY KEY REFERENCES runs(id),
  by     TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     BIGINT NOT NULL
);

CREATE TABLE servers (
  id    TEXT PRIMARY KEY,
  host  TEXT NOT NULL,
  until TIMESTAMPTZ NOT NULL            -- of its lease, on this database's clock
);
