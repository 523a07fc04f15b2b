-- What let a person approve: they may have lost that since. Older approvals do not say it.
ALTER TABLE approvals ADD COLUMN through TEXT NOT NULL DEFAULT '';
