// The command pack writes the archives of a release: the same bytes for the same files.
//
//	pack tar FOLDER OUT              a folder as OUT, a .tar.gz
//	pack oci VERSION OUT ARCH=FILE…  the image of deploy/container, for each architecture, as an OCI archive
//
// Times are SOURCE_DATE_EPOCH.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("read SOURCE_DATE_EPOCH: %w", err)
	}
	at := time.Unix(seconds, 0).UTC()
	switch {
	case len(args) == 3 && args[0] == "tar":
		return folder(args[1], args[2], at)
	case len(args) > 3 && args[0] == "oci":
		return image(args[1], args[2], args[3:], at)
	}
	return errors.New("usage: pack tar FOLDER OUT | pack oci VERSION OUT ARCH=FILE…")
}

// entry is one file or folder of an archive.
type entry struct {
	name string // a folder's ends with /
	mode int64
	uid  int
	data []byte
}

// folder packs a folder under its own name.
func folder(from, to string, at time.Time) error {
	var all []entry
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(filepath.Dir(from), path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			all = append(all, entry{name: filepath.ToSlash(below) + "/", mode: 0o755})
			return nil
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		e := entry{name: filepath.ToSlash(below), mode: 0o644}
		if info.Mode()&0o111 != 0 {
			e.mode = 0o755
		}
		e.data, err = os.ReadFile(path)
		all = append(all, e)
		return err
	})
	if err != nil {
		return err
	}
	plain, err := archive(all, at)
	if err != nil {
		return err
	}
	packed, err := zipped(plain)
	if err != nil {
		return err
	}
	return os.WriteFile(to, packed, 0o644)
}

// archive is a tar of the entries, in the order of their names.
func archive(all []entry, at time.Time) ([]byte, error) {
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range all {
		h := &tar.Header{Name: e.name, Mode: e.mode, Uid: e.uid, Gid: e.uid, Size: int64(len(e.data)), ModTime: at, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.data); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// zipped is the text as gzip packs it, without a name and a time.
func zipped(text []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	err = errors.Join(err, w.Close())
	return out.Bytes(), err
}
