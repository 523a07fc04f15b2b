package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A pinned plan is about targets as they were; what may be touched is decided by
// what they are now.
func TestAPinnedPlanTouchesNothingThatMayNoLongerBeTouched(t *testing.T) {
	t.Parallel()
	cloud := startEC2(t, 1)
	fine := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(fine.Close)
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	settings := "state: state\naccounts: ['123456789012']\nregions: [eu-west-1]\n"
	write("mishap.yaml", settings)
	write("stop.yaml", fmt.Sprintf(`version: 1
name: stop
claim: It is well.
steadyState: [{name: ok, probe: http, with: {url: "%s"}, expect: {status: 200}}]
faults: [{name: stop, injector: ec2-stop, targets: {region: eu-west-1, tags: {Number: n000}}, for: 1s}]
blastRadius: {targets: 1}
`, fine.URL))
	mishap := func(args ...string) (int, string) {
		c := program([]string{"AWS_ENDPOINT_URL=" + cloud.url, "AWS_ACCESS_KEY_ID=testing", "AWS_SECRET_ACCESS_KEY=testing", "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true"}, args...)
		c.Dir = dir
		text, _ := c.CombinedOutput()
		return c.ProcessState.ExitCode(), strings.Join(strings.Fields(string(text)), " ")
	}
	if code, text := mishap("plan", "stop.yaml", "-o", "plan.json"); code != 0 {
		t.Fatalf("plan: %d %s", code, text)
	}
	refused := func(why string) {
		t.Helper()
		if code, text := mishap("run", "plan.json"); code != 5 || !strings.Contains(text, why) {
			t.Errorf("run: %d, want 5 because …%s…: %s", code, why, text)
		}
		if len(cloud.stopped(t)) > 0 {
			t.Error("the instance was touched")
		}
	}
	id := cloud.id(t, "n000")
	cloud.untag(t, id, "mishap")
	refused("its tag mishap=allow was taken away")
	cloud.tag(t, id, "mishap", "allow")
	write("mishap.yaml", settings+"protected: ['ec2-instance/"+id+"']\n")
	refused("is protected by")
	cloud.tag(t, id, "Name", "login")
	write("mishap.yaml", settings+"protected: [ec2-instance/login]\n")
	refused("is protected by")
	write("mishap.yaml", settings)
	cloud.protect(t, id)
	refused("protect")
}
