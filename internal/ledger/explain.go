package ledger

import (
	"errors"
	"fmt"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"mishap"
)

// explainFile says what went wrong with the file in words, and what to do.
func (l *SQLite) explainFile(doing string, err error) error {
	if err == nil {
		return nil
	}
	wrapped := fmt.Errorf("%s %s: %w", doing, l.path, err)
	var hinted *mishap.Hinted
	var broken *sqlite.Error
	if errors.As(err, &hinted) || !errors.As(err, &broken) {
		return wrapped
	}
	switch broken.Code() & 0xff { // the low byte is the primary code
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return mishap.WithHint(fmt.Errorf("%s %s: the file is damaged, or is not a ledger: %w", doing, l.path, err),
			"keep the file, move it away and run again; `mishap revert --all` still finds what keepers wrote beside it")
	case lib.SQLITE_FULL:
		return mishap.WithHint(fmt.Errorf("%s %s: the disk is full: %w", doing, l.path, err), "make room; nothing is injected while the ledger cannot be written")
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN:
		return mishap.WithHint(fmt.Errorf("%s %s: it cannot be written: %w", doing, l.path, err), "check who owns the state directory, or choose another with --state DIR")
	case lib.SQLITE_IOERR:
		return mishap.WithHint(fmt.Errorf("%s %s: the disk failed: %w", doing, l.path, err), "check the disk and that it is not full")
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return mishap.WithHint(fmt.Errorf("%s %s: another process holds it for too long: %w", doing, l.path, err), "look for a program, such as a backup, that locks the file")
	}
	return wrapped
}

// busy reports whether another process is in the way.
func busy(err error) bool {
	var broken *sqlite.Error
	return errors.As(err, &broken) && broken.Code()&0xff == lib.SQLITE_BUSY
}
