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

-- Which database this is. A standby that was promoted, and a copy that was
-- restored, are other ones: what they lost, their servers must not go on with.
CREATE FUNCTION incarnation_now() RETURNS TEXT LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT system_identifier FROM pg_control_system())::text || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
EXCEPTION WHEN OTHERS THEN
  RETURN ''; -- a database that does not say, as some clouds' own
END $$;
ALTER TABLE servers ADD COLUMN incarnation TEXT NOT NULL DEFAULT ''; -- that its lease is of; empty: not known
