//go:build !unix

package spawn

// OwnGroup does nothing: there are no process groups here.
func (*Cmd) OwnGroup() {}

// OwnSession does nothing: there are no sessions here.
func (*Cmd) OwnSession() {}

// KillGroup kills the command alone.
func (c *Cmd) KillGroup() error { return c.Process.Kill() }
