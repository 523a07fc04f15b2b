package vault

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mishap"
)

const markVersion = 1

// mark is what a run says with little: that its owner lives, or that a thing is its.
type mark struct {
	Version int             `json:"version"`
	Run     string          `json:"run"`
	By      string          `json:"by"`
	Thing   string          `json:"thing,omitempty"` // of a claim: that of a [mishap.Key]
	Held    mishap.Duration `json:"held"`            // since it was written
}

func (m mark) text() (string, error) {
	m.Version, m.Held = markVersion, mishap.Duration(heldFor)
	text, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write mark: %w", err)
	}
	return string(text), nil
}

func parseMark(text string) (m mark, err error) {
	if err := mishap.DecodeWhole(json.NewDecoder(strings.NewReader(text)), &m); err != nil {
		return m, err
	}
	switch {
	case m.Version > markVersion:
		return m, fmt.Errorf("a newer mishap wrote it (version %d)", m.Version)
	case m.Version < 1 || m.Run == "" || !sensible(m.Held):
		return m, errors.New("it is no mark of mishap")
	}
	return m, nil
}

// recordName is the name of the nth record of a run.
func recordName(run string, n int) string {
	return recordsFolder + "/" + run + "/" + strconv.Itoa(n)
}

func holdName(run string) string { return holdsFolder + "/" + run }

// claimName is the name of the claim of a thing. A thing may have signs that a name
// may not, and be longer.
func claimName(thing string) string {
	sum := sha256.Sum256([]byte(thing))
	return claimsFolder + "/" + hex.EncodeToString(sum[:16])
}

// things are what the injections change, or must find unchanged, each once, in order.
func things(all []mishap.Injection) (list []string) {
	for _, in := range all {
		for _, k := range in.Keys {
			list = append(list, k.Thing)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
