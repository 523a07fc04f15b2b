package config

import "net/url"

// isPublicURL reports an address that links may begin with: https, or http on this machine.
func isPublicURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}

// PageOf is the address of a run's page; empty if nobody said how people reach it.
func (s *Settings) PageOf(run string) string {
	public := s.Live().PublicURL
	if public == "" || run == "" {
		return ""
	}
	return public + "/runs/" + url.PathEscape(run)
}
