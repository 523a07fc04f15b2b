package cloud_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"mishap"
	"mishap/internal/cloud"
	"mishap/internal/vault"
)

// store is a Parameter Store without a network. It answers a call with an error if
// it is told so.
type store struct {
	code, message string
	now           time.Time
	parameters    map[string]map[string]any
	asked         []map[string]any // what each call said
}

// Do answers one call of the SDK.
func (s *store) Do(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	in := map[string]any{}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	s.asked = append(s.asked, in)
	if s.code != "" {
		return s.answer(400, map[string]any{"__type": s.code, "message": s.message}), nil
	}
	return s.answer(s.do(op, in)), nil
}

func (s *store) do(op string, in map[string]any) (int, map[string]any) {
	name, _ := in["Name"].(string)
	switch op {
	case "PutParameter":
		if s.parameters[name] != nil && in["Overwrite"] != true {
			return 400, map[string]any{"__type": "ParameterAlreadyExists"}
		}
		s.parameters[name] = map[string]any{"Name": name, "Value": in["Value"], "Type": in["Type"], "LastModifiedDate": s.now.Unix()}
		return 200, map[string]any{"Version": 1}
	case "GetParameter":
		if s.parameters[name] == nil {
			return 400, map[string]any{"__type": "ParameterNotFound"}
		}
		return 200, map[string]any{"Parameter": s.parameters[name]}
	case "DeleteParameters":
		for _, name := range in["Names"].([]any) {
			delete(s.parameters, name.(string))
		}
		return 200, map[string]any{}
	}
	var page []any
	from, _ := in["NextToken"].(string)
	next := ""
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		switch {
		case !strings.HasPrefix(name, in["Path"].(string)+"/") || name <= from:
		case len(page) == int(in["MaxResults"].(float64)):
			return 200, map[string]any{"Parameters": page, "NextToken": next}
		default:
			page, next = append(page, s.parameters[name]), name
		}
	}
	return 200, map[string]any{"Parameters": page}
}

func (s *store) answer(status int, body map[string]any) *http.Response {
	text, _ := json.Marshal(body)
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "Date": {s.now.UTC().Format(http.TimeFormat)}}, Body: io.NopCloser(strings.NewReader(string(text)))}
}

func (s *store) vault(key string) vault.Store {
	if s.now.IsZero() {
		s.now = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	}
	if s.parameters == nil {
		s.parameters = map[string]map[string]any{}
	}
	config := aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://ssm.test"), HTTPClient: s, Credentials: aws.AnonymousCredentials{}}
	at := cloud.At{Account: "123456789012", Region: "eu-west-1"}
	return cloud.Place{At: at, Config: cloud.New().Calls(config, at.Account)}.Parameters("/mishap", key)
}

func TestParametersAreAVault(t *testing.T) { synctest.Test(t, parametersAreAVault) }

func parametersAreAVault(t *testing.T) {
	s := &store{}
	v := s.vault("alias/mishap")
	for i := range 25 {
		if err := v.Create(t.Context(), fmt.Sprintf("claims/%02d", i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Create(t.Context(), "claims/03", "y"); !errors.Is(err, vault.ErrExists) {
		t.Errorf("created twice: %v", err)
	}
	if err := errors.Join(v.Put(t.Context(), "claims/03", "z"), v.Put(t.Context(), "undo/1", "u")); err != nil {
		t.Fatal(err)
	}
	if one, err := v.Get(t.Context(), "claims/03"); err != nil || one.Text != "z" || !one.Written.Equal(s.now) {
		t.Errorf("read: %+v, %v", one, err)
	}
	if _, err := v.Get(t.Context(), "claims/99"); !errors.Is(err, vault.ErrAbsent) {
		t.Errorf("read what is not there: %v", err)
	}
	s.now = s.now.Add(time.Hour)
	var names []string
	err := v.List(t.Context(), "claims", func(items []vault.Item, now time.Time) error {
		for _, item := range items {
			names = append(names, item.Name)
		}
		if !now.Equal(s.now) || len(items) > 10 {
			t.Errorf("%d in a page, at %s by the clock of the store", len(items), now)
		}
		return nil
	})
	if err != nil || len(names) != 25 || names[3] != "claims/03" {
		t.Errorf("%v, %v", names, err)
	}
	if err := v.Delete(t.Context(), names[:12]...); err != nil || len(s.parameters) != 14 {
		t.Errorf("%d left, %v", len(s.parameters), err)
	}
	for _, in := range s.asked {
		if in["Value"] != nil && (in["Type"] != "SecureString" || in["KeyId"] != "alias/mishap" || in["Tier"] != "Standard") {
			t.Errorf("written as %v", in)
		}
		if decrypted, reads := in["WithDecryption"].(bool); reads && !decrypted {
			t.Errorf("read as %v", in)
		}
	}
}

// AWS's own words are kept: they name the policy.
func TestWhyAVaultCannotBeUsedIsSaidWithTheFix(t *testing.T) {
	const (
		key   = "the key alias/mishap must be there and enabled, and allow kms:Encrypt and kms:Decrypt; or choose another with `vaultKey`"
		grant = "grant ssm:PutParameter, ssm:DeleteParameters, ssm:GetParameter, ssm:GetParametersByPath on arn:aws:ssm:eu-west-1:123456789012:parameter/mishap/*"
		off   = "; or turn the vault off with `vault: none` in the settings"
	)
	for _, tt := range []struct{ code, message, hint string }{
		{"AccessDeniedException", "User ann is not authorized to perform: ssm:PutParameter because no identity-based policy allows it", grant},
		{"AccessDeniedException", "", grant},
		{"AccessDeniedException", "User ann is not authorized to perform: ssm:PutParameter with an explicit deny in a service control policy", "a policy of the organisation denies it, which no grant in the account changes: ask whoever manages the organisation, or choose another account"},
		{"AccessDeniedException", "User ann is not authorized to perform: kms:Encrypt because no identity-based policy allows it", key},
		{"InvalidKeyId", "arn:aws:kms:eu-west-1:123456789012:key/1 is pending deletion", key},
		{"ParameterLimitExceeded", "You have exceeded the number of parameters", "this region has as many parameters as its quota: remove some, or ask AWS for more; `mishap sweep` removes what lost runs left"},
		{"ThrottlingException", "Rate exceeded", "others write parameters of this account and region too: try again, or turn on higher throughput of Parameter Store"},
		{"ExpiredTokenException", "The security token included in the request is expired", "the credentials have expired: log in again, for example with `aws sso login`"},
		{"InternalServerError", "try later", "check the network, and that there is Systems Manager in eu-west-1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			v := (&store{code: tt.code, message: tt.message}).vault("alias/mishap")
			_, errGet := v.Get(t.Context(), "holds/x")
			for op, err := range map[string]error{
				"put": v.Put(t.Context(), "undo/x/1", "x"), "create": v.Create(t.Context(), "claims/x", "x"), "delete": v.Delete(t.Context(), "claims/x"), "get": errGet,
				"list": v.List(t.Context(), "undo", func([]vault.Item, time.Time) error { return nil }),
			} {
				if err == nil || mishap.HintOf(err) != tt.hint+off || !strings.Contains(err.Error(), tt.message) || !strings.Contains(err.Error(), "/mishap") || strings.Contains(err.Error(), "operation error") {
					t.Errorf("%s, %s: %v\nhint: %s", op, tt.code, err, mishap.HintOf(err))
				}
			}
		})
	}
}
