package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"mishap"
)

func (c *cli) tokenCommand() *cobra.Command {
	var role string
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token for the API, and the line that lets it in",
		Long: `Make a random token. It is printed once, and kept nowhere: the settings hold its
hash. Roles: viewer reads; operator also starts, aborts, halts and refreshes;
approver also approves plans; admin also resumes, unlocks and reads the audit.`,
		Example: "  mishap token ci --role operator",
		Args:    exactly(1, "the name of who will use it"),
		RunE: func(_ *cobra.Command, args []string) error {
			switch role {
			case "viewer", "operator", "approver", "admin":
			default:
				return usageError{mishap.WithHint(fmt.Errorf("there is no role %q", role), mishap.Suggest(role, []string{"viewer", "operator", "approver", "admin"}))}
			}
			token := "mishap_" + rand.Text()
			sum := sha256.Sum256([]byte(token))
			c.tell("add to tokens in the settings, and keep the token itself where secrets are kept:\n")
			fmt.Fprintf(c.err, "  - {name: %q, role: %s, hash: \"sha256:%s\"}\n", args[0], role, hex.EncodeToString(sum[:]))
			_, err := fmt.Fprintln(c.out, token)
			return err
		},
	}
	cmd.Flags().StringVar(&role, "role", "viewer", "viewer, operator, approver or admin")
	return cmd
}
