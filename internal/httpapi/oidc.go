package httpapi

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"mishap"
	"mishap/internal/api"
	"mishap/internal/catalog"
	"mishap/internal/config"
	"mishap/internal/plaintext"
)

// provider checks the ID tokens of an OpenID Connect provider (OpenID Connect
// Core 1.0, section 3.1.3.7). It is found when the first token comes, and looked
// for again as long as it does not answer: a server starts without it.
type provider struct {
	mu       sync.Mutex
	of       [2]string // issuer and audience that the verifier is of
	verifier *oidc.IDTokenVerifier
	endpoint oauth2.Endpoint
}

// providerWithin is how long a request waits for the provider.
const providerWithin = 5 * time.Second

// identify is who the token is of, or what is wrong with it.
func (p *provider) identify(ctx context.Context, about config.OIDC, token, from string) (caller, string) {
	anybody := stranger(from)
	verifier, _, err := p.found(ctx, about)
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
	role, value := about.Role(texts(claims[about.Claim])...)
	who.role, who.through = role, "oidc "+about.Issuer+" "+value
	if role == "" {
		return who, fmt.Sprintf("no value of %s in the token of %s gives a role here", about.Claim, who.name)
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
func (p *provider) found(ctx context.Context, about config.OIDC) (*oidc.IDTokenVerifier, oauth2.Endpoint, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := [2]string{about.Issuer, about.Audience}
	if p.verifier != nil && p.of == of {
		return p.verifier, p.endpoint, nil
	}
	// Its keys are fetched later too, when this request is long over.
	long := oidc.ClientContext(context.WithoutCancel(ctx), &http.Client{Timeout: providerWithin})
	found, err := oidc.NewProvider(long, about.Issuer)
	if err != nil {
		return nil, oauth2.Endpoint{}, err
	}
	p.of, p.verifier, p.endpoint = of, found.Verifier(&oidc.Config{ClientID: about.Audience}), found.Endpoint()
	return p.verifier, p.endpoint, nil
}

// backPath is where the provider sends people back to, in a browser.
const backPath = "/signin/back"

// SignIn lets people sign in with the provider in a browser.
type SignIn struct {
	provider *provider
	settings *config.Settings
}

// With is the provider that a browser at this request can sign in with; empty: none.
func (s *SignIn) With(r *http.Request) string {
	about := s.settings.Live().OIDC
	if !about.On() || about.SignIn == nil || s.back(r) == "" {
		return ""
	}
	u, err := url.Parse(about.Issuer)
	if err != nil {
		return ""
	}
	return u.Host
}

// back is the address that the provider sends people back to: the public one, or on this
// machine the one that is asked.
func (s *SignIn) back(r *http.Request) string {
	public := s.settings.Live().PublicURL
	switch {
	case public != "":
		return public + backPath
	case !api.IsLocal(r.Host):
		return ""
	case r.TLS != nil:
		return "https://" + r.Host + backPath
	}
	return "http://" + r.Host + backPath
}

// client is what asks the provider, and a context for that.
func (s *SignIn) client(ctx context.Context, back string) (*oauth2.Config, context.Context, error) {
	about := s.settings.Live().OIDC
	if about.SignIn == nil {
		return nil, nil, errors.New("the settings let nobody sign in with a provider any more")
	}
	_, endpoint, err := s.provider.found(ctx, about)
	if err != nil {
		return nil, nil, fmt.Errorf("the OpenID Connect provider does not answer: %w", err)
	}
	secret, err := catalog.Secret(about.SignIn.Secret)
	if err != nil {
		return nil, nil, fmt.Errorf("sign in: %w", err)
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: providerWithin})
	return &oauth2.Config{ClientID: about.Audience, ClientSecret: secret, Endpoint: endpoint, RedirectURL: back, Scopes: append([]string{oidc.ScopeOpenID}, about.SignIn.Scopes...)}, ctx, nil
}

// Begin is the address at which somebody signs in. They come back with the state and a
// code, which is only of use to who has the verifier.
func (s *SignIn) Begin(r *http.Request, state, nonce, verifier string) (string, error) {
	client, _, err := s.client(r.Context(), s.back(r))
	if err != nil {
		return "", err
	}
	return client.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// End is the ID token that a code is given for, until when it is good, and what gets
// another one then, if anything does.
func (s *SignIn) End(r *http.Request, code, nonce, verifier string) (token, refresh string, until time.Time, err error) {
	client, ctx, err := s.client(r.Context(), s.back(r))
	if err != nil {
		return "", "", time.Time{}, err
	}
	got, err := client.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return "", "", time.Time{}, fmt.Errorf("the provider gives no token: %w", err)
	}
	return s.verified(ctx, got, &nonce)
}

// Renew is [SignIn.End] with what was kept for that.
func (s *SignIn) Renew(ctx context.Context, old string) (token, refresh string, until time.Time, err error) {
	client, ctx, err := s.client(ctx, "")
	if err != nil {
		return "", "", time.Time{}, err
	}
	got, err := client.TokenSource(ctx, &oauth2.Token{RefreshToken: old}).Token()
	if err != nil {
		return "", "", time.Time{}, fmt.Errorf("the provider gives no token: %w", err)
	}
	return s.verified(ctx, got, nil)
}

// verified takes the ID token out of an answer. What was signed in must be what was asked
// for: its nonce is that of who began.
func (s *SignIn) verified(ctx context.Context, got *oauth2.Token, nonce *string) (token, refresh string, until time.Time, err error) {
	token, _ = got.Extra("id_token").(string)
	verifier, _, err := s.provider.found(ctx, s.settings.Live().OIDC)
	if err != nil {
		return "", "", time.Time{}, err
	}
	about, err := verifier.Verify(ctx, token)
	switch {
	case err != nil:
		return "", "", time.Time{}, fmt.Errorf("the token is refused: %w", err)
	case nonce != nil && subtle.ConstantTimeCompare([]byte(about.Nonce), []byte(*nonce)) != 1:
		return "", "", time.Time{}, errors.New("the token is of another sign-in")
	}
	return token, got.RefreshToken, about.Expiry, nil
}
