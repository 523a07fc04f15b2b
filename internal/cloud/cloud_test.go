package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mishap"
	"mishap/internal/cloud"
)

// alone hides the AWS configuration of whoever runs the tests.
func alone(t *testing.T, variables map[string]string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // so that it comes back
			_ = os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for name, value := range variables {
		t.Setenv(name, value)
	}
}

func keys(more map[string]string) map[string]string {
	all := map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "eu-west-1"}
	for name, value := range more {
		all[name] = value
	}
	return all
}

// identity is an STS that answers with the account, or with an error code.
func identity(t *testing.T, code string) (url string, calls *atomic.Int32) {
	t.Helper()
	calls = new(atomic.Int32)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		if code != "" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error></ErrorResponse>", code)
			return
		}
		fmt.Fprint(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>")
	}))
	t.Cleanup(server.Close)
	return server.URL, calls
}

func TestPlaceAsksOncePerRegion(t *testing.T) {
	url, calls := identity(t, "")
	alone(t, keys(map[string]string{"AWS_ENDPOINT_URL": url}))
	c := cloud.New()
	for _, region := range []string{"", "eu-west-1", "us-east-2", "us-east-2"} {
		p, err := c.Place(t.Context(), cloud.At{Region: region})
		if region == "" {
			region = "eu-west-1"
		}
		if err != nil || p.Account != "123456789012" || p.Region != region || p.Config.Region != region {
			t.Errorf("%s: account %q, region %q, %v", region, p.Account, p.Region, err)
		}
	}
	if n := calls.Load(); n != 2 {
		t.Errorf("AWS was asked %d times for two regions", n)
	}
}

func TestPlaceRemembersNoFailure(t *testing.T) {
	refusing, _ := identity(t, "ExpiredToken")
	alone(t, keys(map[string]string{"AWS_ENDPOINT_URL": refusing}))
	c := cloud.New()
	if _, err := c.Place(t.Context(), cloud.At{}); err == nil {
		t.Fatal("expired credentials were taken")
	}
	url, _ := identity(t, "")
	t.Setenv("AWS_ENDPOINT_URL", url)
	if _, err := c.Place(t.Context(), cloud.At{}); err != nil {
		t.Errorf("after a new login: %v", err)
	}
}

func TestEveryFailureSaysWhatToDo(t *testing.T) {
	for _, test := range []struct {
		name      string
		code      string // of STS
		variables map[string]string
		region    string
		hint      string
	}{
		{"no region", "", map[string]string{"AWS_REGION": ""}, "", "AWS_REGION"},
		{"no such region", "", nil, "europe", "eu-west-1"},
		{"a region that leads elsewhere", "", nil, "evil.example/#", "eu-west-1"},
		{"no credentials", "", map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "", "AWS_ACCESS_KEY_ID"},
		{"no such profile", "", map[string]string{"AWS_PROFILE": "nobody"}, "", "AWS_PROFILE"},
		{"expired", "ExpiredToken", nil, "", "log in again"},
		{"unknown key", "InvalidClientTokenId", nil, "", "is enabled for the account"},
		{"wrong secret", "SignatureDoesNotMatch", nil, "", "secret access key"},
		{"denied", "AccessDenied", nil, "", "sts:GetCallerIdentity"},
		{"nobody there", "", map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "", "AWS_ENDPOINT_URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			url, _ := identity(t, test.code)
			alone(t, keys(map[string]string{"AWS_ENDPOINT_URL": url}))
			for name, value := range test.variables {
				t.Setenv(name, value)
			}
			_, err := cloud.New().Place(t.Context(), cloud.At{Region: test.region})
			var hinted *mishap.Hinted
			if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, test.hint) {
				t.Errorf("error %v, hint %+v, want a hint with %q", err, hinted, test.hint)
			}
		})
	}
}

func TestPlaceEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	alone(t, keys(map[string]string{"AWS_ENDPOINT_URL": server.URL}))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := cloud.New().Place(ctx, cloud.At{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that never answers: %v", err)
	}
}

func TestAHostThatDoesNotExistMayBeAWrongRegion(t *testing.T) {
	var hinted *mishap.Hinted
	err := cloud.ExplainIdentity("eu-wset-1", fmt.Errorf("dial: %w", &net.DNSError{Name: "sts.eu-wset-1.amazonaws.com", IsNotFound: true}))
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "there may be no region eu-wset-1") {
		t.Errorf("%v, %+v", err, hinted)
	}
}

func TestAMachineWithoutARoleIsNotWaitedForLong(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 5 s")
	}
	release := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(release) })
	alone(t, map[string]string{"AWS_REGION": "eu-west-1", "AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": silent.URL})
	start := time.Now()
	_, err := cloud.New().Place(t.Context(), cloud.At{})
	if err == nil || time.Since(start) > 3*time.Minute { // for ever, if it waits at all
		t.Errorf("after %s: %v", time.Since(start), err)
	}
}
