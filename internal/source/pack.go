package source

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

const smallerCommit = "keep large files out of the repository of experiments, or give it one of its own"

// intake is a pack that comes.
type intake struct {
	*store
	spool *os.File
	bytes int64
	err   error
}

// Write keeps what has come.
func (i *intake) Write(p []byte) (int, error) {
	if i.bytes += int64(len(p)); i.bytes > i.limits.PackBytes {
		i.err = refuse(smallerCommit, "what is fetched of it has more than %d bytes", i.limits.PackBytes)
	}
	if i.err = errors.Join(i.err, i.ctx.Err()); i.err != nil {
		return 0, i.err
	}
	return i.spool.Write(p)
}

// Close looks through the pack and puts it into the clone.
func (i *intake) Close() (err error) {
	defer func() { err = errors.Join(err, i.spool.Close(), os.Remove(i.spool.Name())) }()
	if i.err != nil || i.bytes == 0 {
		return i.err
	}
	if _, err := i.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := fits(i.ctx, i.spool, i.limits); err != nil {
		return err
	}
	if _, err := i.spool.Seek(0, io.SeekStart); err != nil {
		return err
	}
	to, err := i.Storage.PackfileWriter()
	if err != nil {
		return err
	}
	_, err = io.Copy(to, i.spool)
	return errors.Join(err, to.Close())
}

// fits refuses a pack that stands for more than the limits. What counts is what
// its objects are once they are whole, and what has to be read to make them so: a
// difference of a few bytes may stand for gigabytes, and a thousand of them for
// one large object that is read a thousand times.
func fits(ctx context.Context, in io.ReadSeeker, l limits) error {
	pack := packfile.NewScanner(in)
	_, objects, err := pack.Header()
	if err != nil {
		return err
	}
	if int64(objects) > int64(l.Objects) {
		return refuse(smallerCommit, "it has %d objects, more than %d", objects, l.Objects)
	}
	var total int64
	for range objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		at, err := pack.NextObjectHeader()
		if err != nil {
			return err
		}
		if at.Length > l.ObjectBytes {
			return refuse(smallerCommit, "it holds an object of %d bytes; more than %d are not read", at.Length, l.ObjectBytes)
		}
		head := &beginning{}
		if _, _, err := pack.NextObject(head); err != nil {
			return err
		}
		total += at.Length
		if at.Type == plumbing.OFSDeltaObject || at.Type == plumbing.REFDeltaObject {
			base, whole := head.sizes()
			if max(base, whole) > l.deltaBytes() {
				return refuse(smallerCommit, "it holds the difference of objects of %d bytes; more than %d are not read", max(base, whole), l.deltaBytes())
			}
			total += int64(base + whole)
		}
		if total > l.UnpackedBytes {
			return refuse(smallerCommit, "its objects have more than %d bytes together", l.UnpackedBytes)
		}
	}
	return nil
}

// beginning keeps the first bytes of an object.
type beginning struct{ text []byte }

// Write takes them.
func (b *beginning) Write(p []byte) (int, error) {
	const most = 2 * binary.MaxVarintLen64
	b.text = append(b.text, p[:min(len(p), most-len(b.text))]...)
	return len(p), nil
}

// sizes is what a difference says of itself: how long the object is that it is of,
// and the one that it makes (gitformat-pack(5), "Deltified representation").
func (b *beginning) sizes() (base, whole uint64) {
	base, n := binary.Uvarint(b.text)
	if n <= 0 {
		return 0, 0 // the library refuses it
	}
	whole, n = binary.Uvarint(b.text[n:])
	if n <= 0 {
		return base, 0
	}
	return base, whole
}
