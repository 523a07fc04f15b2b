package vault

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mishap"
)

// Largest is the most bytes that a text of a vault may have: what a parameter of the
// standard tier holds.
const Largest = 4096

const (
	recordVersion = 1       // the newest form that this program knows
	longestRecord = 4 << 20 // of its JSON, in bytes: a text of 4 KiB can unpack to 4 MiB
)

// Record is what reverts the injections of one call, for somebody who knows nothing
// else. Its text is JSON that is compressed, because a hundred injections of a call
// differ in little but a name: `base64 -d | gunzip` shows it. Gzip's checksum finds
// what was damaged.
type Record struct {
	Version    int                `json:"version"`
	Run        string             `json:"run"`
	By         string             `json:"by"` // whom to ask: user and host of the run
	Where      mishap.Place       `json:"where"`
	Held       mishap.Duration    `json:"held"` // by its owner, since it was written
	Injections []mishap.Injection `json:"injections"`
}

// bare is what of an injection a record holds: neither what its record says, nor
// what reverting does not need.
func bare(in mishap.Injection) mishap.Injection {
	in.Run, in.Control, in.Matched, in.Notes = "", nil, 0, nil
	in.Target = mishap.Target{ID: in.Target.ID, Kind: in.Target.Kind}
	return in
}

// whole are the injections of the record as a revert takes them.
func (r Record) whole() []mishap.Injection {
	var all []mishap.Injection
	for _, in := range r.Injections {
		in.Run, in.Target.Where = r.Run, r.Where
		all = append(all, in)
	}
	return all
}

// text is the record as it is written.
func (r Record) text() (string, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("write record: %w", err)
	}
	var packed bytes.Buffer
	pack, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return "", fmt.Errorf("write record: %w", err)
	}
	if _, err := pack.Write(plain); err != nil {
		return "", fmt.Errorf("write record: %w", err)
	}
	if err := pack.Close(); err != nil {
		return "", fmt.Errorf("write record: %w", err)
	}
	return base64.StdEncoding.EncodeToString(packed.Bytes()), nil
}

// parseRecord reads the text of a record, which must be all of it.
func parseRecord(text string) (r Record, err error) {
	plain, err := unpack(text)
	if err != nil {
		return r, err
	}
	if err := mishap.DecodeWhole(json.NewDecoder(bytes.NewReader(plain)), &r); err != nil {
		return r, err
	}
	switch {
	case r.Version > recordVersion:
		return r, fmt.Errorf("a newer mishap wrote it (version %d)", r.Version)
	case r.Version < 1 || r.Run == "" || r.Where.Account == "" || len(r.Injections) == 0 || !sensible(r.Held):
		return r, errors.New("it is no record of mishap")
	}
	for _, in := range r.Injections {
		if in.ID == "" || in.Injector == "" || in.Target.ID == "" {
			return r, errors.New("an injection in it does not say what it is")
		}
	}
	return r, nil
}

func unpack(text string) ([]byte, error) {
	packed, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	rest := bytes.NewReader(packed)
	unpack, err := gzip.NewReader(rest)
	if err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	unpack.Multistream(false)
	plain, err := io.ReadAll(io.LimitReader(unpack, longestRecord+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is damaged: %w", err)
	case len(plain) > longestRecord:
		return nil, fmt.Errorf("it unpacks to more than %d bytes", longestRecord)
	case rest.Len() > 0:
		return nil, errors.New("it is damaged: something follows it")
	}
	return plain, nil
}

// sensible reports whether a hold is one that mishap would write: a record that
// says it is held for years would never be swept.
func sensible(held mishap.Duration) bool { return held.Std() > 0 && held.Std() <= time.Hour }
