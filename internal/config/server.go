package config

import (
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"mishap"
	"mishap/internal/outside"
)

// Server is what `mishap serve` needs to know beside all else, and keeps as long as it
// runs; the rest is in [Live].
type Server struct {
	Sources []Source
	Allow   Allow
	TLS     TLS
}

// Notices are what people are told beside what happens.
type Notices struct {
	Before mishap.Duration `json:"before,omitempty"` // a scheduled run is announced so long before; default: it is not
	Digest *Digest         `json:"digest,omitempty"` // what waits for its owner, at those times; default: never
}

// Digest is when owners are told what of theirs is locked, stale, inconclusive
// or a known impact.
type Digest struct {
	Cron     string          `json:"cron"`
	Timezone string          `json:"timezone,omitempty"` // default UTC
	Stale    mishap.Duration `json:"stale,omitempty"`    // an experiment with a schedule that did not run for so long; default 30 days
}

// Keep says how long ended runs and acts stay in the ledger. Stranded and active ones
// always do, and so does the latest of each experiment.
type Keep struct {
	For  mishap.Duration `json:"for,omitempty"`  // default: for ever
	Runs int             `json:"runs,omitempty"` // at most; default: any number

	Audit mishap.Duration `json:"audit,omitempty"` // how long acts stay in the audit; default: for ever
}

// Token lets somebody use the API. Only its hash is kept.
type Token struct {
	Name    string    `json:"name"`           // who it is, for the audit
	Mail    string    `json:"mail,omitempty"` // of who it is, as git has it: nobody approves their own commit
	Role    string    `json:"role"`           // viewer, operator, approver or admin
	Hash    string    `json:"hash"`           // "sha256:" and the token's SHA-256 in hex, as `mishap token` prints it
	Expires time.Time `json:"expires,omitzero"`
}

// Expired reports whether the token's time is over.
func (t Token) Expired(now time.Time) bool { return !t.Expires.IsZero() && now.After(t.Expires) }

// OIDC lets people and programs in with the ID tokens of an OpenID Connect
// provider.
type OIDC struct {
	Issuer   string              `json:"issuer,omitempty"`   // its URL, exactly as in its tokens
	Audience string              `json:"audience,omitempty"` // the client id that tokens must be for
	Claim    string              `json:"claim,omitempty"`    // what of a token gives roles: a text or a list; default groups
	Roles    map[string][]string `json:"roles,omitempty"`    // by role: the values of the claim that give it

	SignIn *SignIn `json:"signIn,omitempty"` // people sign in with it in a browser; default: they do not
}

// SignIn lets people sign in to the console with the provider: by its authorization code
// flow, with PKCE. The client is the audience; its redirect address is publicURL with the
// path /signin/back.
type SignIn struct {
	Secret mishap.Secret `json:"secret,omitzero"`  // of a confidential client; default: a public one
	Scopes []string      `json:"scopes,omitempty"` // beside openid; default email, profile
}

// On reports whether there is a provider.
func (o OIDC) On() bool { return o.Issuer != "" }

// TLS is the certificate of the API.
type TLS struct {
	Cert string `json:"cert,omitempty"` // path of a PEM file
	Key  string `json:"key,omitempty"`
}

// Governor limits what goes on at once, and when. All but the approval binds
// every run, also one that is begun by hand.
type Governor struct {
	Runs    int                `json:"runs,omitempty"`    // at once; default 10
	Targets int                `json:"targets,omitempty"` // touched at once in one place; default: no limit
	Share   mishap.Share       `json:"share,omitempty"`   // hit at once in one place; default: no limit
	Freezes []mishap.ProbeSpec `json:"freezes,omitempty"` // probes of which each must be met, or nothing starts and everything stops

	Window   json.RawMessage `json:"window,omitempty"`   // of all runs; parameters of the safeguard of that name
	Calendar json.RawMessage `json:"calendar,omitempty"` // the same

	Approval Approval `json:"approval,omitzero"` // which plans somebody else must approve first; default: none
}

// Approval says which plans somebody else must approve before they run by
// themselves.
type Approval struct {
	Targets int             `json:"targets,omitempty"` // those that touch more in one place; default: none
	Share   mishap.Share    `json:"share,omitempty"`   // those that hit more of one place; default: none
	For     mishap.Duration `json:"for,omitempty"`     // how long an approval holds; default 7 days
}

// Allow lists what a merged file may make the server do or read. Nothing else
// is, but for hosts.
type Allow struct {
	Commands []string `json:"commands,omitempty"` // programs that may be started, by name or path; texts for a shell; and "env NAME" for variables that may be set
	Env      []string `json:"env,omitempty"`      // variables that {env} may name
	Files    []string `json:"files,omitempty"`    // absolute paths of files that may be read, and of folders, with a slash at the end
	Hosts    []string `json:"hosts,omitempty"`    // what may be connected to: host, *.host, host:port or a range of addresses; default all but link-local and metadata addresses
}

// Notify is somebody who is told what happens.
type Notify struct {
	Name    string        `json:"name"`
	Kind    string        `json:"kind"` // webhook, slack or pagerduty
	URL     mishap.Secret `json:"url,omitzero"`
	Channel string        `json:"channel,omitempty"`
	Secret  mishap.Secret `json:"secret,omitzero"`
	Events  []string      `json:"events,omitempty"`
}

// secretURL reports a URL in plain text that whoever reads it can post to: that of
// Slack's incoming webhooks, or one with a secret in it.
func (n Notify) secretURL() bool {
	u, err := url.Parse(n.URL.Value)
	if n.URL.Value == "" || err != nil {
		return false // that it cannot be read is said without showing it
	}
	why, _ := mishap.SecretInURL(n.URL.Value)
	incoming := n.Kind == "slack" && !strings.HasSuffix(u.Path, "/chat.postMessage")
	return why != "" || incoming || u.Hostname() == "hooks.slack.com"
}

// Webhook lets a git server say that something was pushed.
type Webhook struct {
	Secret mishap.Secret `json:"secret,omitzero"` // that the git server signs with
}

const (
	folderPoll     = 5 * time.Second
	repositoryPoll = 30 * time.Second
	defaultRuns    = 10
	approvalLife   = 7 * 24 * time.Hour
	staleAfter     = 30 * 24 * time.Hour
)

func (s *Settings) checkAllow() (problems []error) {
	if _, err := outside.ParseHosts(s.Server.Allow.Hosts); err != nil {
		problems = append(problems, s.wrong("allow.hosts", "hosts: %s", strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	if _, err := outside.ParseFiles(s.Server.Allow.Files, nil); err != nil {
		problems = append(problems, s.wrong("allow.files", "files: %s", strings.ReplaceAll(err.Error(), "\n", "; ")))
	}
	return problems
}

// sections are the settings that are lists or mappings, with where they go.
func (s *Settings) sections() map[string]any {
	l := s.Live()
	all := map[string]any{
		"sources": &s.Server.Sources, "governor": &l.Governor, "allow": &s.Server.Allow,
		"notify": &l.Notify, "webhook": &l.Webhook, "tokens": &l.Tokens, "oidc": &l.OIDC, "tls": &s.Server.TLS, "keep": &l.Keep, "notices": &l.Notices,
		"labels": &l.Labels, "proxies": &s.Proxies,
	}
	if s.fromFile("accounts") { // and not replaced by the environment or a flag
		all["accounts"] = &s.Accounts
	}
	return all
}

// checkServer checks the sections and fills in defaults.
func (s *Settings) checkServer() (problems []error) {
	l := s.Live()
	names := map[string]bool{}
	for i := range s.Server.Sources {
		one := &s.Server.Sources[i]
		problems = append(problems, s.checkSource(i, one))
		if one.Name == "" || names[one.Name] || !sourceName.MatchString(one.Name) {
			problems = append(problems, s.wrong(part("sources", i, "name"), "source %d needs a name of its own, of lowercase letters, digits and dashes, not %q", i+1, one.Name))
		}
		names[one.Name] = true
	}
	problems = append(problems, s.checkAllow()...)
	g := &l.Governor
	if g.Runs < 0 || g.Targets < 0 {
		problems = append(problems, s.wrong("governor", "runs and targets must not be negative"))
	}
	if g.Runs == 0 {
		g.Runs = defaultRuns
	}
	if g.Approval.Targets < 0 || g.Approval.For < 0 {
		problems = append(problems, s.wrong("governor.approval", "targets and for of approval must not be negative"))
	}
	if g.Approval.For == 0 {
		g.Approval.For = mishap.Duration(approvalLife)
	}
	for i := range g.Freezes {
		f := &g.Freezes[i]
		if f.Name == "" || f.Probe == "" {
			problems = append(problems, s.wrong(part("governor.freezes", i), "freeze %d needs a name and a probe", i+1))
		}
		if f.Every == 0 {
			f.Every = mishap.Duration(5 * time.Second)
		}
		if f.Timeout == 0 {
			f.Timeout = mishap.Duration(5 * time.Second)
		}
	}
	roles := roleNames()
	problems = append(problems, s.checkTokens(roles)...)
	problems = append(problems, s.checkNotices()...)
	problems = append(problems, s.checkOIDC(roles)...)
	if (s.Server.TLS.Cert == "") != (s.Server.TLS.Key == "") {
		problems = append(problems, s.wrong("tls", "needs both cert and key"))
	}
	kinds := []string{"webhook", "slack", "pagerduty"}
	if l.Webhook.Secret.Value != "" {
		problems = append(problems, s.wrong("webhook.secret", "the secret stands in plain text; write webhook: {secret: {env: MISHAP_WEBHOOK_SECRET}} or {file: PATH}, and make a new one"))
	}
	for i, n := range l.Notify {
		if n.Secret.Value != "" {
			problems = append(problems, s.wrong(part("notify", i, "secret"), "the secret of entry %d stands in plain text; write secret: {env: NAME} or {file: PATH}, and make a new one", i+1))
		}
		if n.secretURL() {
			problems = append(problems, s.wrong(part("notify", i, "url"), "the URL of entry %d is a secret and stands in plain text; write url: {env: SLACK_URL} or {file: PATH}, and make a new one", i+1))
		}
		if n.Name == "" || !slices.Contains(kinds, n.Kind) {
			problems = append(problems, s.wrong(part("notify", i), "entry %d needs a name and a kind: %s", i+1, strings.Join(kinds, ", ")))
		}
	}
	return problems
}

func (s *Settings) checkNotices() (problems []error) {
	n := &s.Live().Notices
	if n.Before < 0 || n.Before.Std() > 24*time.Hour {
		problems = append(problems, s.wrong("notices.before", "before is %s, outside of 0s to 24h", n.Before))
	}
	if d := n.Digest; d != nil {
		if d.Cron == "" {
			problems = append(problems, s.wrong("notices.digest", "digest needs a cron, such as 0 9 * * MON"))
		}
		if d.Timezone == "" {
			d.Timezone = "UTC"
		}
		if d.Stale == 0 {
			d.Stale = mishap.Duration(staleAfter)
		}
	}
	return problems
}

func (s *Settings) checkOIDC(roles []string) (problems []error) {
	l := s.Live()
	o := &l.OIDC
	if o.Claim == "" {
		o.Claim = "groups"
	}
	if !o.On() {
		if o.Audience != "" || o.Roles != nil {
			problems = append(problems, s.wrong("oidc", "needs the issuer, the URL of the provider"))
		}
		return problems
	}
	u, err := url.Parse(o.Issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		problems = append(problems, s.wrong("oidc.issuer", "issuer %q is not an https URL", o.Issuer))
	}
	if o.Audience == "" {
		problems = append(problems, s.wrong("oidc", "needs an audience, the client id that tokens are for: without one, a token for any program of the provider would do"))
	}
	if in := o.SignIn; in != nil {
		if in.Secret.Value != "" {
			problems = append(problems, s.wrong("oidc.signIn.secret", "the secret of signIn stands in plain text; write secret: {env: NAME} or {file: PATH}, and make a new one"))
		}
		if in.Scopes == nil {
			in.Scopes = []string{"email", "profile"}
		}
		if l.PublicURL == "" && s.Listen != "none" && !isLoopbackAddress(s.Listen) {
			problems = append(problems, s.wrong("oidc.signIn", "signIn needs the setting publicURL: the provider sends people back there"))
		}
	}
	if len(o.Roles) == 0 {
		problems = append(problems, s.wrong("oidc", "needs roles, such as {operator: [sre]}: nobody would have one"))
	}
	for role := range o.Roles {
		if !slices.Contains(roles, role) {
			problems = append(problems, s.wrong("oidc.roles", "there is no role %q; %s", role, mishap.Suggest(role, roles)))
		}
	}
	return problems
}

func isLoopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

var tokenHash = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// checkTokens refuses a token that nobody could use.
func (s *Settings) checkTokens(roles []string) (problems []error) {
	for i, t := range s.Live().Tokens {
		if t.Name == "" {
			problems = append(problems, s.wrong(part("tokens", i), "token %d needs a name", i+1))
		}
		if !slices.Contains(roles, t.Role) {
			problems = append(problems, s.wrong(part("tokens", i, "role"), "token %d needs a role, not %q; %s", i+1, t.Role, mishap.Suggest(t.Role, roles)))
		}
		if !tokenHash.MatchString(t.Hash) {
			problems = append(problems, s.wrong(part("tokens", i, "hash"), "token %d needs a hash as `mishap token` prints it", i+1))
		}
	}
	return problems
}
