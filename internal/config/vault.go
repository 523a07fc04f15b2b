package config

import "strings"

// NoVault is the setting vault where what reverts faults in AWS is kept in ledger and
// state directory alone.
const NoVault = "none"

// isVault reports whether Parameter Store takes names below a path. What begins with
// aws or ssm is AWS's own, and fifteen levels are the most.
func isVault(path string) bool {
	const levels = 10 // of its own
	parts := strings.Split(path, "/")
	if len(path) > 200 || len(parts) < 2 || len(parts) > levels+1 || parts[0] != "" {
		return false
	}
	for _, part := range parts[1:] {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" {
			return false
		}
	}
	first := strings.ToLower(parts[1])
	return !strings.HasPrefix(first, "aws") && !strings.HasPrefix(first, "ssm")
}
