package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"mishap"
	"mishap/internal/config"
	"mishap/internal/plaintext"
)

// provider checks the ID tokens of an OpenID Connect provider (OpenID Connect
// Core 1.0, section 3.1.3.7). It is found when the first token comes, and looked
// for again as long as it does not answer: a server starts without it.
type provider struct {
	about *config.OIDC

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
}

// providerWithin is how long a request waits for the provider.
const providerWithin = 5 * time.Second

// identify is who the token is of, or what is wrong with it.
func (p *provider) identify(ctx context.Context, token, from string) (caller, string) {
	anybody := stranger(from)
	verifier, err := p.found(ctx)
	if err != nil {
		return anybody, "the OpenID Connect provider does not answer: " + err.Error()
	}
	ctx, cancel := context.WithTimeout(ctx, providerWithin)
	defer cancel()
	verified, err := verifier.Verify(ctx, token)
	if err != nil {
		return anybody, "the token is refused: " + err.Error()
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return anybody, "the token is refused: " + err.Error()
	}
	who := personOf(claims, verified.Subject)
	role, value := p.about.Role(texts(claims[p.about.Claim])...)
	who.role, who.through = role, "oidc "+p.about.Issuer+" "+value
	if role == "" {
		return who, fmt.Sprintf("no value of %s in the token of %s gives a role here", p.about.Claim, who.name)
	}
	return who, ""
}

// personOf is who a token names. An address that the provider has not verified
// may be anybody's. Its texts are whatever the provider lets people write: they are
// made fit for one line, since PostgreSQL takes no zero bytes, and who names
// themselves with one would act without being in the audit.
func personOf(claims map[string]any, subject string) caller {
	text := func(key string) string { s, _ := claims[key].(string); return oneName(s) }
	who := caller{name: text("preferred_username")}
	if verified, _ := claims["email_verified"].(bool); verified {
		who.mail = text("email")
	}
	if who.name == "" {
		who.name = who.mail
	}
	// A provider may let people change all but their subject (OpenID Connect Core
	// 1.0, section 5.7), which alone tells them apart.
	who.subject = url.PathEscape(subject)
	who.name = strings.TrimSpace(who.name + " " + mishap.SubjectText(who.subject))
	return who
}

func oneName(text string) string {
	const most = 200
	if len(text) > most {
		text = text[:most] + "…"
	}
	return plaintext.Line(plaintext.Of(text))
}

// texts are those of a claim that is one, or a list of some.
func texts(claim any) (all []string) {
	switch v := claim.(type) {
	case string:
		return []string{v}
	case []any:
		for _, one := range v {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
	}
	return all
}

// found is the provider's verifier, with its keys.
func (p *provider) found(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.verifier != nil {
		return p.verifier, nil
	}
	// Its keys are fetched later too, when this request is long over.
	long := oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: providerWithin})
	found, err := oidc.NewProvider(long, p.about.Issuer)
	if err != nil {
		return nil, err
	}
	p.verifier = found.Verifier(&oidc.Config{ClientID: p.about.Audience})
	return p.verifier, nil
}
