package cloud

// ExplainIdentity is explainIdentity, for causes that a test cannot bring about.
func ExplainIdentity(region string, err error) error {
	return explainIdentity(region, err)
}
