package vault

import (
	"fmt"
	"time"

	"mishap"
)

// Takes is how long it takes at least to hold what reverts the injections, in each
// place where there are any that belong in a vault.
func Takes(all []mishap.Injection) map[mishap.Place]time.Duration {
	takes := map[mishap.Place]time.Duration{}
	for _, in := range all {
		if mine := within(all, in.Target.Where); len(mine) > 0 && takes[in.Target.Where] == 0 {
			takes[in.Target.Where] = time.Duration(len(things(mine))) * writeEvery
		}
	}
	return takes
}

// call is what one call that injects takes: injections of one fault, in one place,
// with one number. Those that have a call each share records all the same.
type call struct {
	fault string
	where mishap.Place
	batch int
}

// pack makes records of injections, each of one call, and their texts. A call whose
// undo one record does not hold has several.
func pack(run, by string, all []mishap.Injection) (records []Record, texts []string, err error) {
	var order []call
	calls := map[call][]mishap.Injection{}
	for _, in := range all {
		c := call{in.Fault, in.Target.Where, in.Batch}
		if calls[c] == nil {
			order = append(order, c)
		}
		calls[c] = append(calls[c], bare(in))
	}
	for _, c := range order {
		for left := calls[c]; len(left) > 0; {
			r, text, err := fill(Record{Version: recordVersion, Run: run, By: by, Where: c.where, Held: mishap.Duration(heldFor)}, left)
			if err != nil {
				return nil, nil, err
			}
			records, texts, left = append(records, r), append(texts, text), left[len(r.Injections):]
		}
	}
	return records, texts, nil
}

// fill puts as many of the injections into the record as it holds, from the first.
func fill(r Record, all []mishap.Injection) (Record, string, error) {
	for n := len(all); ; {
		r.Injections = all[:n]
		text, err := r.text()
		if err != nil || len(text) <= Largest {
			return r, text, err
		}
		if n == 1 {
			return r, "", mishap.WithHint(fmt.Errorf("what reverts %s on %s takes %d bytes packed, and the vault holds %d of one target", all[0].Fault, all[0].Target.Label(), len(text), Largest),
				"choose a target with less to revert, or turn the vault off: `vault: none` in the settings")
		}
		n = max(1, min(n-1, n*Largest/len(text)))
	}
}
