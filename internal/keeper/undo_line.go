package keeper

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"

	"mishap"
)

// A line of an undo file ends with its checksum: a bit that has turned could name
// another file or process, and a revert would do its work there. CRC-32C finds
// every change of up to five bits in a line of 64 KiB, and any burst up to 32 bits
// (Koopman, 32-Bit Cyclic Redundancy Codes for Internet Applications, 2002).
const sumBegins = `,"sum":"`

func sumOf(line []byte) string {
	return fmt.Sprintf("%08x", crc32.Checksum(line, crc32.MakeTable(crc32.Castagnoli)))
}

// line is a record as it is written.
func (r record) line() ([]byte, error) {
	r.Sum = ""
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body := text[:len(text)-1]
	return fmt.Appendf(nil, "%s%s%s\"}\n", body, sumBegins, sumOf(body)), nil
}

// parseLine reads a record. A line without a checksum is of an older mishap, or
// its checksum is what was damaged: it may have nothing that those did not write.
func parseLine(line []byte) (r record, err error) {
	strict := json.NewDecoder(bytes.NewReader(line))
	at := bytes.LastIndex(line, []byte(sumBegins))
	if at < 0 {
		strict.DisallowUnknownFields()
	}
	if err := mishap.DecodeWhole(strict, &r); err != nil {
		return r, err
	}
	switch {
	case r.Version > undoVersion:
		return r, fmt.Errorf("a newer mishap wrote it (version %d)", r.Version)
	case at < 0 && (r.Sum != "" || r.Holds != 0 || r.Keys != nil):
		return r, errors.New("its checksum is lost")
	case at >= 0 && (r.Sum != sumOf(line[:at]) || string(line[at:]) != sumBegins+r.Sum+`"}`):
		return r, errors.New("its checksum is wrong")
	}
	return r, nil
}
