package probes

// Blame is what a probe makes of a network error, for errors that no test can
// provoke from outside.
func Blame(err error) (string, bool) { return blame(err) }

// ParsePath reads a path into JSON, for the fuzz test.
func ParsePath(path string) ([]string, error) { return parsePath(path) }

// Number is how a result of Prometheus is shown.
func Number(v float64) string { return number(v) }
