package mishap

// Permissions are what credentials must allow for some injections, as statements
// of a policy.
type Permissions struct {
	Inject []Statement // to prepare, inject and look at them
	Revert []Statement // to look at and revert them, from their records alone
}

// Statement allows actions on resources under conditions; as JSON it is a part of
// an IAM policy, without its effect, which is Allow.
type Statement struct {
	Actions   []string `json:"Action"`   // "ec2:StopInstances"
	Resources []string `json:"Resource"` // ARNs; "*" where the action knows none
	// Conditions by operator and key: {"StringEquals": {"aws:ResourceTag/mishap": ["allow"]}}.
	Conditions map[string]map[string][]string `json:"Condition,omitempty"`
}
