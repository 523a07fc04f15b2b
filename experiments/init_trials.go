package experiments

import (
	"fmt"
	"net/url"
)

// trial is what a first experiment is made of.
type trial struct {
	Name, About, Claim string
	Notes              []string // comments below the first
	URL, Host          string   // what the probe asks; the Host header, if it asks through the proxy
	Fault, Injector    string
	Proxy              Proxy
	With, For          string // With as YAML
	Load               string
}

// dependencyTrials are experiments on a service whose dependency is behind a proxy.
func dependencyTrials(u *url.URL, p Proxy, load string) []trial {
	slow := trial{
		Name: "slow-" + p.Name, About: fmt.Sprintf("does %s still answer in time when %s is slow?", u.Host, p.Name),
		Claim: fmt.Sprintf("%s still answers within two seconds when %s answers 300 ms late.", u.Host, p.Name),
		Notes: []string{
			fmt.Sprintf("The service must connect to %s instead of %s, and the page asked for must need", p.Listen, p.Upstream),
			p.Name + ": a fault that affects no traffic proves nothing, and the run says so.",
		},
		URL: u.String(), Fault: p.Name + " is slow", Injector: "proxy-latency", Proxy: p, With: "{delay: 300ms, jitter: 50ms}", For: "30s", Load: load,
	}
	gone := slow
	gone.Name, gone.About = "without-"+p.Name, fmt.Sprintf("does %s still answer when %s is gone?", u.Host, p.Name)
	gone.Claim = fmt.Sprintf("%s still answers when every connection to %s is reset.", u.Host, p.Name)
	gone.Fault, gone.Injector, gone.With, gone.For = p.Name+" is gone", "proxy-reset", "{}", "20s"
	return []trial{slow, gone}
}

// serviceTrials are experiments on what a caller of a service meets.
func serviceTrials(u *url.URL, p Proxy, load, through string) []trial {
	slow := trial{
		Name: "slow-" + p.Name, About: fmt.Sprintf("does %s still answer in time when it is slow?", u.Host),
		Claim: fmt.Sprintf("%s still answers within two seconds when every answer is 300 ms late.", u.Host),
		Notes: []string{fmt.Sprintf("The probe asks through the proxy at %s, so that it meets the fault.", p.Listen)},
		URL:   through, Host: u.Host, Fault: "it is slow", Injector: "proxy-latency", Proxy: p, With: "{delay: 300ms, jitter: 50ms}", For: "30s", Load: load,
	}
	cut := slow
	cut.Name, cut.About = "cut-"+p.Name, fmt.Sprintf("is a caller of %s served when connections break?", u.Host)
	cut.Claim = fmt.Sprintf("Callers of %s are served although half of the connections to it are reset.", u.Host)
	cut.Notes = append(cut.Notes, "It asks once, as a caller that does not try again: so this will deviate. One that does", "may be asked instead: let the probe ask that one, and it connect to the proxy.")
	cut.Fault, cut.Injector, cut.With, cut.For = "connections break", "proxy-reset", "{share: 50%}", "20s"
	if p.HTTPS { // the proxy reads requests, to ask with TLS
		slow.Injector, cut.Injector = "proxy-http-latency", "proxy-http-abort"
	}
	return []trial{slow, cut}
}

const firstExperiment = `# {{.About}}
{{range .Notes}}# {{.}}
{{end}}#
#   mishap proxy                               in one terminal; it listens on {{.Proxy.Listen}}
#   mishap plan experiments/{{.Name}}.yaml
#   mishap run experiments/{{.Name}}.yaml
#
{{if .Load}}# Load: {{line .Load}}
{{else}}# The probe is all the load, a request a second. More shows more.
{{end}}version: 1
name: {{.Name}}
claim: {{quoted .Claim}}

# What must be so before, while and after the fault is in force.
steadyState:
  - name: it answers
    probe: http
    with:
      url: {{quoted .URL}}
{{- if .Host}}
      headers: {Host: {{quoted .Host}}} # the service sees its own name, not that of the proxy
{{- end}}
    expect: {status: 2xx, latency: "<= 2s"}
    every: 1s
    timeout: 5s
    allow: 2 of 20 # unmet observations tolerated while the fault is in force

# What goes wrong, and for how long at most.
faults:
  - name: {{.Fault}}
    injector: {{.Injector}}
    targets: {proxy: {{.Proxy.Name}}} # a name in mishap.yaml
    with: {{.With}}
    for: {{.For}}

# The most that a run may touch: one proxy.
blastRadius: {targets: 1}

# How long it may take until all is well again after the fault was reverted.
recovery: {within: 1m}
`
