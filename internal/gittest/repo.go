// Package gittest is a git server for tests whose commits hold what git itself
// would not make: any names, any objects, packs that lie.
package gittest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Hash is the name of an object.
type Hash [sha1.Size]byte

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Modes of entries of a tree.
const (
	File      = "100644"
	Dir       = "40000"
	Link      = "120000"
	Submodule = "160000"
)

// Entry is one entry of a tree.
type Entry struct {
	Mode, Name string
	Of         Hash
}

// Types of objects in a pack, see gitformat-pack(5).
const (
	commitType   = 1
	treeType     = 2
	blobType     = 3
	refDeltaType = 7
)

// Repo collects the objects of one commit.
type Repo struct {
	pack    bytes.Buffer // without its head
	objects int
	known   map[Hash]bool

	Count  int   // objects that the pack says it has; 0: as many as it has
	Cut    int   // bytes that are missing at its end
	More   int64 // bytes of nonsense that are sent behind it
	Commit Hash
}

// Blob adds a file's content.
func (r *Repo) Blob(text string) Hash { return r.object(blobType, "blob", []byte(text)) }

// Tree adds a folder. Entries are sorted as git has them, unless there are so many
// that it would take long.
func (r *Repo) Tree(entries ...Entry) Hash {
	key := func(e Entry) string {
		if e.Mode == Dir {
			return e.Name + "/"
		}
		return e.Name
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(key(a), key(b)) })
	var list bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&list, "%s %s\x00", e.Mode, e.Name)
		list.Write(e.Of[:])
	}
	return r.RawTree(list.Bytes())
}

// RawTree adds a folder's list as it is.
func (r *Repo) RawTree(list []byte) Hash { return r.object(treeType, "tree", list) }

// CommitTree adds the commit of a tree, which is what the server then serves.
func (r *Repo) CommitTree(tree Hash) {
	r.RawCommit(fmt.Sprintf("tree %s\nauthor a <a@example.com> 1700000000 +0000\ncommitter a <a@example.com> 1700000000 +0000\n\nwhy\n", tree))
}

// RawCommit adds a commit as it is.
func (r *Repo) RawCommit(text string) { r.Commit = r.object(commitType, "commit", []byte(text)) }

func (r *Repo) object(kind byte, name string, data []byte) Hash {
	sum := sha1.New()
	fmt.Fprintf(sum, "%s %d\x00", name, len(data))
	sum.Write(data)
	hash := Hash(sum.Sum(nil))
	if !r.known[hash] {
		r.Packed(kind, int64(len(data)), nil, bytes.NewReader(data))
	}
	if r.known == nil {
		r.known = map[Hash]bool{}
	}
	r.known[hash] = true
	return hash
}

// Zeros adds a blob of so many zeros, which is small in a pack.
func (r *Repo) Zeros(size int64) { r.Packed(blobType, size, nil, io.LimitReader(zeros{}, size)) }

// Delta adds a difference that makes an object of a size from a base that has a
// size, by copying its first n bytes as often as needed.
func (r *Repo) Delta(base Hash, baseSize, size, n int) {
	delta := binary.AppendUvarint(nil, uint64(baseSize))
	delta = binary.AppendUvarint(delta, uint64(size))
	for size > 0 {
		part := min(size, n, 0xffffff)
		delta = append(delta, 0x80|0x70, byte(part), byte(part>>8), byte(part>>16)) // copy, of offset 0
		size -= part
	}
	r.Packed(refDeltaType, int64(len(delta)), base[:], bytes.NewReader(delta))
}

// Packed adds any entry: its type, the size that it says it has, what follows the
// head, and its content.
func (r *Repo) Packed(kind byte, size int64, head []byte, content io.Reader) {
	b := kind<<4 | byte(size&15)
	for size >>= 4; size > 0; size >>= 7 {
		r.pack.WriteByte(b | 0x80)
		b = byte(size & 0x7f)
	}
	r.pack.WriteByte(b)
	r.pack.Write(head)
	out := zlib.NewWriter(&r.pack)
	_, _ = io.Copy(out, content) // into memory
	_ = out.Close()
	r.objects++
}

// bytes is the whole pack.
func (r *Repo) bytes() []byte {
	count := r.objects
	if r.Count > 0 {
		count = r.Count
	}
	pack := append([]byte("PACK\x00\x00\x00\x02"), binary.BigEndian.AppendUint32(nil, uint32(count))...)
	pack = append(pack, r.pack.Bytes()...)
	sum := sha1.Sum(pack)
	pack = append(pack, sum[:]...)
	return pack[:max(0, len(pack)-r.Cut)]
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
