CREATE TABLE approvals (
  experiment TEXT PRIMARY KEY,
  digest     TEXT NOT NULL,
  by         TEXT NOT NULL,
  reason     TEXT NOT NULL,
  at         BIGINT NOT NULL,
  until      BIGINT NOT NULL
);

CREATE TABLE told (
  what TEXT PRIMARY KEY,
  at   BIGINT NOT NULL
);
