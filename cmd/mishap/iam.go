package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"mishap"
	"mishap/internal/app"
	"mishap/internal/catalog"
)

// largestPolicy is how many characters a managed policy of IAM has at most, white
// space not counted.
const largestPolicy = 6144

func (c *cli) iamCommand() *cobra.Command {
	var given catalog.Given
	var only string
	cmd := &cobra.Command{
		Use:   "iam PATH…",
		Short: "Print the least AWS policies that experiments need",
		Long: `Print two IAM policies: what injecting needs, and what reverting needs. They
name the targets by ARN where experiments say ids, ARNs, or names that are ids
(not the tag Name of EC2), in the accounts and regions of the settings. To
inject, they ask for the opt-in tag and the tags of the targets, where AWS can:
not in s3-deny, asg-standby, asg-unhealthy and ec2-isolate, where mishap alone
looks at tags. To revert they ask for no tag. AWS is not asked. With --only, one
policy is printed, as the AWS command line takes it.

iam:SimulatePrincipalPolicy is for ` + "`mishap plan`" + `, which asks whether all of it
is allowed. Without it nothing else fails, and plans say what was not asked.`,
		Example: "  mishap iam experiments/\n  aws iam put-role-policy --role-name mishap --policy-name inject \\\n" +
			"    --policy-document \"$(mishap iam --only inject experiments/)\"",
		Args: atLeast(1, "at least one file or folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd, func(a *app.App) error {
				experiments, err := a.Load(cmd.Context(), args, given, true)
				if err != nil {
					return err
				}
				needs, err := a.Permissions(experiments)
				if err != nil {
					return err
				}
				return c.showPolicies(needs, only)
			})
		},
	}
	givenFlags(cmd, &given)
	cmd.Flags().StringVar(&only, "only", "", "print one policy: inject or revert")
	return cmd
}

// policy is a document of IAM.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect string
	mishap.Statement
}

func policyOf(all []mishap.Statement) policy {
	p := policy{Version: "2012-10-17", Statement: []statement{}}
	for _, s := range all {
		p.Statement = append(p.Statement, statement{"Allow", s})
	}
	return p
}

func (c *cli) showPolicies(needs mishap.Permissions, only string) error {
	if len(needs.Inject)+len(needs.Revert) == 0 {
		return mishap.WithHint(errors.New("no fault of these experiments is in AWS, and none needs a policy"), "see `mishap catalog` for faults in AWS")
	}
	inject, revert := policyOf(needs.Inject), policyOf(needs.Revert)
	for name, p := range map[string]policy{"inject": inject, "revert": revert} {
		if text, err := json.Marshal(p); err == nil && len(text) > largestPolicy {
			c.tell("warning: the policy to %s has %d characters, and IAM takes %d in one; print fewer experiments at once\n", name, len(text), largestPolicy)
		}
	}
	shown := any(struct {
		Inject policy `json:"inject"`
		Revert policy `json:"revert"`
	}{inject, revert})
	switch only {
	case "":
	case "inject":
		shown = inject
	case "revert":
		shown = revert
	default:
		return usageError{mishap.WithHint(fmt.Errorf("--only %s is no policy", only), "write --only inject or --only revert")}
	}
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	if !c.json() {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(shown)
}
