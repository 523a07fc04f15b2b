package mishap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Approval is a person's yes to one plan, before a server runs it by itself. It
// holds for exactly the experiment and the targets that the person saw: another
// file or another target makes another digest, and needs another yes.
type Approval struct {
	Experiment string    `json:"experiment"`
	Digest     string    `json:"digest"` // of the plan, as [Plan.ApprovalDigest] computes it
	By         string    `json:"by"`
	Through    string    `json:"through"` // what let them: "token NAME", "oidc ISSUER VALUE" of the claim, or "socket"
	Reason     string    `json:"reason"`
	At         time.Time `json:"at"`
	Until      time.Time `json:"until"`

	Withdrawn string `json:"withdrawn,omitempty"` // why they may not approve any more; whoever reads it knows, and not the ledger
}

// ApprovalRule says which plans need an approval. The zero rule says none.
type ApprovalRule struct {
	Targets int      // more than so many; 0 says nothing about targets
	Share   Share    // more than this of one place; 0 says nothing about shares
	For     Duration // how long an approval holds
}

// Applies says in words why the plan needs an approval; empty if it does not.
func (r ApprovalRule) Applies(p Plan) string {
	for _, f := range p.Footprints() {
		switch {
		case r.Targets > 0 && f.Targets > r.Targets:
			return fmt.Sprintf("it touches %s %s, and more than %d need an approval", Plural(f.Targets, "target"), f.where(), r.Targets)
		case r.Share > 0 && f.Share > r.Share:
			return fmt.Sprintf("it hits %s %s, and more than %s needs an approval", f.Share, f.where(), r.Share)
		}
	}
	return ""
}

// admit answers a [*Denial] if the plan needs an approval that is not there.
func (r ApprovalRule) admit(p Plan, f Facts) error {
	why := r.Applies(p)
	if why == "" {
		return nil
	}
	digest, err := p.ApprovalDigest()
	if err != nil {
		return err
	}
	name := p.Experiment.Name
	denial := &Denial{Cause: CauseApproval, Reason: fmt.Sprintf("%s; see `mishap approve %s`", why, name)}
	for _, a := range f.Approvals {
		switch {
		case a.Experiment != name:
		case a.Digest != digest:
			denial.Reason = fmt.Sprintf("%s; what %s approved was another plan: since then the experiment or its targets have changed; see `mishap approve %s`", why, a.By, name)
		case a.Withdrawn != "":
			denial.Reason = fmt.Sprintf("%s; the one that %s gave counts no more: %s; see `mishap approve %s`", why, a.By, a.Withdrawn, name)
		case !f.Now.Before(r.until(a)):
			denial.Reason = fmt.Sprintf("%s; the one that %s gave ended at %s; see `mishap approve %s`", why, a.By, Moment(r.until(a)), name)
		default:
			return nil
		}
	}
	return denial
}

// until is when an approval ends: as it was told, or earlier if the rule is
// stricter by now.
func (r ApprovalRule) until(a Approval) time.Time {
	if now := a.At.Add(r.For.Std()); r.For > 0 && now.Before(a.Until) {
		return now
	}
	return a.Until
}

// ApprovalDigest identifies what an approval is about: the experiment as the
// file says it, and the targets. When the plan was made, and which commit holds
// the same file, do not matter.
func (p Plan) ApprovalDigest() (string, error) {
	sealed, err := p.Seal()
	if err != nil {
		return "", err
	}
	sealed.Created, sealed.Notes, sealed.Digest = time.Time{}, nil, ""
	sealed.Experiment.Source = Source{Digest: sealed.Experiment.Source.Digest}
	data, err := json.Marshal(sealed)
	if err != nil {
		return "", fmt.Errorf("compute digest for approval: %w", err)
	}
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// SubjectText is what a name ends with whose bearer an identity provider knows by
// a subject, which has no parentheses; empty without one.
func SubjectText(subject string) string {
	if subject == "" {
		return ""
	}
	return subjectBegin + subject + ")"
}

const subjectBegin = "(sub "

// cutSubject takes the subject off a name.
func cutSubject(text string) (name, subject string) {
	at := strings.LastIndex(text, subjectBegin)
	if at < 0 || !strings.HasSuffix(text, ")") {
		return text, ""
	}
	return text[:at], text[at+len(subjectBegin) : len(text)-1]
}

// SamePerson reports whether two names mean one person: they have the same
// subject, as in "Ada <ada@example.com> (sub 17)". If one of them has none, they are
// equal, or one is the name or the mail address in the other.
func SamePerson(a, b string) bool {
	a, subjectA := cutSubject(a)
	b, subjectB := cutSubject(b)
	if subjectA != "" && subjectB != "" {
		return subjectA == subjectB
	}
	of := func(text string) []string {
		name, mail, _ := strings.Cut(strings.ToLower(text), "<")
		return []string{strings.TrimSpace(name), strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(mail), ">"))}
	}
	for _, x := range of(a) {
		for _, y := range of(b) {
			if x != "" && x == y {
				return true
			}
		}
	}
	return false
}

// OfOthers leaves out the approvals of who asks for a run: they do not count as
// somebody else.
func OfOthers(all []Approval, asks string) []Approval {
	return slices.DeleteFunc(all, func(a Approval) bool { return SamePerson(a.By, asks) })
}
