package outside

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"
	"time"
)

// Most is how many bytes are read of a file of which nobody says more: a secret,
// certificates.
const Most = 1 << 20

// readWithin is how long a file is waited for: one on a network may never come.
const readWithin = 5 * time.Second

// File is a file that was read.
type File struct {
	Text    []byte
	Written time.Time // when it was changed last
}

// ReadFile reads a file of at most [Most] bytes, as [Read] does; it has the form
// of [os.ReadFile].
func ReadFile(path string) ([]byte, error) { return (*Files)(nil).ReadFile(path) }

// Read reads a file whose path somebody else wrote. It must be a regular file
// once links are followed, since a secret that is mounted is a link, and hold at
// most so many bytes. A device, a pipe, a folder, a larger file, and one that has
// not come after 5 s are errors, each of its own; so a path can neither hang
// mishap nor fill its memory.
func Read(ctx context.Context, path string, most int64) (File, error) {
	return (*Files)(nil).Read(ctx, path, most)
}

// Head reads the first bytes of a file as [Read] does; the file may be larger.
func Head(ctx context.Context, path string, most int64) (File, error) {
	return (*Files)(nil).Head(ctx, path, most)
}

// mostWaiting is how many reads of this process may be on. One that never comes
// back keeps its thread, and a process that has too many of those is ended.
const mostWaiting = 1000

var waiting atomic.Int32

func inTime(ctx context.Context, path string, read func() (File, error)) (File, error) {
	if waiting.Add(1) > mostWaiting {
		waiting.Add(-1)
		return File{}, fmt.Errorf("read %s: %d reads before it have not come back: a file system hangs", path, mostWaiting)
	}
	ctx, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	type result struct {
		f   File
		err error
	}
	done := make(chan result, 1) // what comes too late is dropped
	go func() {
		defer waiting.Add(-1)
		f, err := read()
		done <- result{f, err}
	}()
	select {
	case r := <-done:
		return r.f, r.err
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return File{}, fmt.Errorf("read %s: it has not come in time: %w", path, ctx.Err())
		}
		return File{}, fmt.Errorf("read %s: %w", path, ctx.Err())
	}
}

func (f *Files) read(path string, most int64, cut bool) (File, error) {
	in, err := f.open(path)
	if err != nil {
		return File{}, err
	}
	defer in.Close()
	info, err := in.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		return File{}, irregular(path, info, err)
	case info.Size() > most && !cut:
		return File{}, fmt.Errorf("read %s: it has %d bytes, more than %d", path, info.Size(), most)
	}
	text, err := io.ReadAll(io.LimitReader(in, most+1)) // it may have grown, and files of /proc have no size
	switch {
	case err != nil:
		return File{}, err
	case int64(len(text)) > most && cut:
		text = text[:most]
	case int64(len(text)) > most:
		return File{}, fmt.Errorf("read %s: it has more than %d bytes", path, most)
	}
	return File{text, info.ModTime()}, nil
}

// irregular is why a file is not read that is not regular, or cannot be looked at.
func irregular(path string, info fs.FileInfo, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("read %s: it is not a regular file but %s", path, what(info.Mode()))
}

func what(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "something else"
}
