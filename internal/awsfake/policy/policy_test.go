package policy_test

import (
	"testing"
	"time"

	"mishap/internal/awsfake/policy"
)

func TestPoliciesAreJudgedAsIAMDoes(t *testing.T) {
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	r := policy.Request{Action: "sqs:SendMessage", Resource: "arn:aws:sqs:eu-west-1:111111111111:orders", Time: now,
		Principals: []string{"arn:aws:iam::111111111111:role/app", "arn:aws:iam::111111111111:root"},
		Context:    map[string][]string{"aws:ResourceTag/Role": {"pay"}, "aws:TagKeys": {"a", "b"}, "aws:SecureTransport": {"true"}}}
	allow := func(rest string) string { return `{"Statement": {"Effect": "Allow", ` + rest + `}}` }
	when := func(condition string) string {
		return allow(`"Action": "*", "Resource": "*", "Condition": {` + condition + `}`)
	}
	for text, want := range map[string]policy.Decision{
		allow(`"Action": "sqs:sendmessage", "Resource": "*"`):                                                                          policy.Allows,
		allow(`"Action": ["sqs:Get*", "sqs:Send*"], "Resource": ["arn:aws:sqs:*:*:orders"]`):                                           policy.Allows,
		allow(`"Action": "sqs:Send*", "Resource": "arn:aws:sqs:*:*:order"`):                                                            policy.Silent,
		allow(`"Action": "sqs:Send*", "Resource": "arn:aws:sqs:*:*:order?"`):                                                           policy.Allows,
		allow(`"NotAction": "sqs:Get*", "Resource": "*"`):                                                                              policy.Allows,
		allow(`"NotAction": "sqs:*", "Resource": "*"`):                                                                                 policy.Silent,
		allow(`"Action": "*", "NotResource": "arn:aws:sqs:*"`):                                                                         policy.Silent,
		allow(`"Action": "*", "Resource": "*", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}`):                                policy.Allows,
		allow(`"Action": "*", "Resource": "*", "Principal": {"AWS": ["arn:aws:iam::222222222222:root"]}`):                              policy.Silent,
		allow(`"Action": "*", "Resource": "*", "Principal": "*"`):                                                                      policy.Allows,
		allow(`"Action": "*", "NotPrincipal": {"AWS": "arn:aws:iam::111111111111:role/app"}`):                                          policy.Silent,
		`{"Statement": [{"Effect": "Deny", "Action": "sqs:*", "Resource": "*"}, {"Effect": "Allow", "Action": "*", "Resource": "*"}]}`: policy.Denies,
		when(`"StringEquals": {"aws:resourcetag/Role": ["x", "pay"]}`):                                                                 policy.Allows,
		when(`"StringEquals": {"aws:ResourceTag/Role": "x"}`):                                                                          policy.Silent,
		when(`"StringNotEquals": {"aws:ResourceTag/Role": ["x", "pay"]}`):                                                              policy.Silent,
		when(`"StringNotEquals": {"aws:ResourceTag/Other": "x"}`):                                                                      policy.Allows,
		when(`"StringEqualsIfExists": {"aws:ResourceTag/Other": "x"}`):                                                                 policy.Allows,
		when(`"StringEquals": {"aws:ResourceTag/Other": "x"}`):                                                                         policy.Silent,
		when(`"StringLike": {"aws:ResourceTag/Role": "p*"}`):                                                                           policy.Allows,
		when(`"Bool": {"aws:SecureTransport": true}`):                                                                                  policy.Allows,
		when(`"Bool": {"aws:SecureTransport": "false"}`):                                                                               policy.Silent,
		when(`"Null": {"aws:ResourceTag/Other": "true"}`):                                                                              policy.Allows,
		when(`"Null": {"aws:ResourceTag/Role": "true"}`):                                                                               policy.Silent,
		when(`"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b", "c"]}`):                                                          policy.Allows,
		when(`"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}`):                                                                    policy.Silent,
		when(`"ForAllValues:StringEquals": {"aws:None": ["a"]}`):                                                                       policy.Allows,
		when(`"ForAnyValue:StringEquals": {"aws:TagKeys": ["b"]}`):                                                                     policy.Allows,
		when(`"ForAnyValue:StringEquals": {"aws:None": ["b"]}`):                                                                        policy.Silent,
		when(`"DateLessThan": {"aws:CurrentTime": "2026-11-29T12:00:01Z"}`):                                                            policy.Allows,
		when(`"DateLessThan": {"aws:CurrentTime": "2026-11-29T12:00:00Z"}`):                                                            policy.Silent,
		when(`"DateLessThanEquals": {"aws:CurrentTime": "2026-11-29T12:00:00Z"}`):                                                      policy.Allows,
		when(`"DateGreaterThan": {"aws:CurrentTime": "2026-11-29T12:00:00Z"}`):                                                         policy.Silent,
		when(`"DateGreaterThanEquals": {"aws:CurrentTime": "2026-11-29T12:00:00Z"}`):                                                   policy.Allows,
		when(`"DateLessThan": {"aws:CurrentTime": "soon"}`):                                                                            policy.Silent,
		`{"Statement": `: policy.Silent,
	} {
		if got := policy.Judge(r, text); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsNoPolicyIsRefused(t *testing.T) {
	for _, text := range []string{``, `{"Statement": 1}`, `{"Statement": {"Effect": "Maybe", "Action": "*"}}`, `{"Statement": {"Effect": "Deny"}}`,
		`{"Statement": {"Effect": "Deny", "Action": "*", "Condition": {"StringMatches": {"a": "b"}}}}`, `{"Statement": {"Effect": "Deny", "Action": "*", "Condition": {"ForSome:StringLike": {"a": "b"}}}}`} {
		if _, err := policy.Parse(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
