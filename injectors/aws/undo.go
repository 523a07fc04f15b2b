package aws

import (
	"encoding/json"
	"fmt"
	"strings"

	"mishap"
	"mishap/internal/cloud"
)

// The fields of undo; the id is in one that is called as the noun. Records of
// before have them, so they stay for ever.
const (
	undoAccount    = "account"
	undoRegion     = "region"
	undoRole       = "role"
	undoExternalID = "externalId"
	undoBefore     = "before"
)

// writeUndo has the way to the thing, as whom, and what it was.
func (a about) writeUndo(place cloud.Place, one thing) (json.RawMessage, error) {
	undo := map[string]any{undoAccount: place.Account, undoRegion: place.Region, a.noun: one.id}
	if place.Role != "" {
		undo[undoRole] = place.Role
	}
	if place.ExternalID != "" {
		undo[undoExternalID] = place.ExternalID
	}
	if one.before != nil {
		undo[undoBefore] = one.before
	}
	text, err := json.Marshal(undo)
	if err != nil {
		return nil, fmt.Errorf("write undo: %w", err)
	}
	return text, nil
}

// readUndo is where the target of an injection is, as whom it is reached, and what
// it was.
func readUndo[With any](a about, in mishap.Injection) (at cloud.At, on recorded[With], err error) {
	var undo map[string]json.RawMessage
	text := func(key string) (s string) {
		if err == nil && undo[key] != nil {
			err = json.Unmarshal(undo[key], &s)
		}
		return s
	}
	err = json.Unmarshal(in.Undo, &undo)
	at = cloud.At{Account: text(undoAccount), Region: text(undoRegion), Role: text(undoRole), ExternalID: text(undoExternalID)}
	on = recorded[With]{injection: in.ID, id: text(a.noun), arn: a.arnOf(in), account: at.Account, region: at.Region, before: undo[undoBefore], lasts: in.Lasts()}
	if err != nil || on.id == "" || at.Region == "" {
		return at, on, fmt.Errorf("read undo of %s: it names no %s", in.ID, a.noun)
	}
	if err := mishap.Decode("with", in.With, &on.with); err != nil {
		return at, on, fmt.Errorf("read parameters of %s: %w", in.ID, err)
	}
	return at, on, nil
}

// Recorded is where an injection of these faults is, and as whom it is reached.
func Recorded(in mishap.Injection) (at cloud.At, err error) {
	if err := json.Unmarshal(in.Undo, &at); err != nil {
		return at, fmt.Errorf("read undo of %s: %w", in.ID, err)
	}
	return at, nil
}

// arnOf is the ARN of an injection's target. Records of before have the id alone.
func (a about) arnOf(in mishap.Injection) string {
	if strings.HasPrefix(in.Target.ID, "arn:") {
		return in.Target.ID
	}
	return fill(a.arn, in.Target.Where.Account, in.Target.Where.Region, in.Target.ID)
}
