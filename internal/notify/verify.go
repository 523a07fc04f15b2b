package notify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrSignature is that a webhook was not sent by who knows the secret, or too
// long ago.
var ErrSignature = errors.New("webhook is not authentic")

// sign is Stripe's scheme: the time is signed with the body, so that a captured
// request cannot be sent again later.
func sign(secret string, body []byte, at time.Time) string {
	unix := strconv.FormatInt(at.Unix(), 10)
	return "t=" + unix + ",v1=" + hex.EncodeToString(mac(secret, unix+".", body))
}

func mac(secret, prefix string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(prefix))
	h.Write(body)
	return h.Sum(nil)
}

// Verify reports whether a webhook was sent by who knows the secret; its error
// is an ErrSignature. It reads the first of these headers that is there, and
// never falls back from one to the next:
//
//   - Mishap-Signature: t=<unix>,v1=<hex>, the HMAC-SHA256 of "<unix>.<body>",
//     no further than tolerance from now. One of several v1 is enough, so that a
//     key can be rotated. This is Stripe's scheme:
//     https://docs.stripe.com/webhooks#verify-manually
//   - X-Hub-Signature-256: sha256=<hex>, the HMAC-SHA256 of the body. GitHub:
//     https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
//   - X-Gitlab-Token: the secret itself. GitLab:
//     https://docs.gitlab.com/user/project/integrations/webhooks/
//
// The last two hold no time, so a captured request can be sent again: what they
// ask for must be harmless to do twice. An empty secret verifies nothing.
func Verify(secret string, header http.Header, body []byte, now time.Time, tolerance time.Duration) error {
	if secret == "" {
		return fmt.Errorf("verify webhook: no secret is set: %w", ErrSignature)
	}
	if value := header.Get(SignatureHeader); value != "" {
		return verifyTimed(secret, value, body, now, tolerance)
	}
	if value := header.Get("X-Hub-Signature-256"); value != "" {
		given, found := strings.CutPrefix(value, "sha256=")
		return mismatch(found && equalHex(given, mac(secret, "", body)))
	}
	if value := header.Get("X-Gitlab-Token"); value != "" {
		// Hashed, as comparing would tell the length of the secret.
		given, wanted := sha256.Sum256([]byte(value)), sha256.Sum256([]byte(secret))
		return mismatch(hmac.Equal(given[:], wanted[:]))
	}
	return fmt.Errorf("verify webhook: it is not signed: %w", ErrSignature)
}

func verifyTimed(secret, value string, body []byte, now time.Time, tolerance time.Duration) error {
	unix, given := "", []string{}
	for part := range strings.SplitSeq(value, ",") {
		key, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "t":
			unix = v
		case "v1":
			given = append(given, v)
		}
	}
	seconds, err := strconv.ParseInt(unix, 10, 64)
	if err != nil {
		return fmt.Errorf("verify webhook: its signature has no time: %w", ErrSignature)
	}
	wanted, same := mac(secret, unix+".", body), false
	for _, g := range given {
		same = equalHex(g, wanted) || same
	}
	if err := mismatch(same); err != nil {
		return err
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > tolerance {
		return fmt.Errorf("verify webhook: it was signed %v from now: %w", age, ErrSignature)
	}
	return nil
}

func equalHex(given string, wanted []byte) bool {
	raw, err := hex.DecodeString(given)
	return err == nil && hmac.Equal(raw, wanted)
}

func mismatch(same bool) error {
	if same {
		return nil
	}
	return fmt.Errorf("verify webhook: its signature is wrong: %w", ErrSignature)
}
