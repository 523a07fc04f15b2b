package toxiproxy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mishap/internal/freeport"
)

// TestToxiproxysOwnTestsOfItsAPIPass: api_test.go of Toxiproxy 2.12.0 against this server, whole. Only where it finds the
// server is changed, the version it wants ("git" in its own builds), and its fixed ports, which a busy machine may not have.
func TestToxiproxysOwnTestsOfItsAPIPass(t *testing.T) {
	if _, err := exec.LookPath("toxiproxy-server"); err != nil {
		t.Skip("SKIPPED: Toxiproxy and what it is built from are not here; .ci/testbed gets them")
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/Shopify/toxiproxy/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	r, dir := start(t), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(strings.TrimSpace(string(out)))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "api_test.go")
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(redirect(t, string(source), r.address)), 0o600); err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(source), -1)
	var only []string
	for _, n := range names {
		only = append(only, n[1])
	}
	run := exec.Command("go", "test", "-count=1", "-v", "-run", "^("+strings.Join(only, "|")+")$", ".")
	run.Dir, run.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	report, err := run.CombinedOutput()
	if passed := strings.Count(string(report), "\n--- PASS"); err != nil || passed != len(only) {
		t.Fatalf("%d of %d passed: %v\n%s", passed, len(only), err, report)
	}
	t.Logf("%d of %d passed", len(only), len(only))
}

// redirect makes the tests talk to this server, on ports that are free.
func redirect(t *testing.T, source, address string) string {
	t.Helper()
	body := regexp.MustCompile(`(?s)func WithServer\(t \*testing.T, f func\(string\)\) \{.*?\n\}\n`)
	if !body.MatchString(source) {
		t.Fatal("the tests have no WithServer")
	}
	source = body.ReplaceAllString(source, `func WithServer(t *testing.T, f func(string)) {
	defer func() {
		all, err := client.Proxies()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if err := p.Delete(); err != nil {
				t.Error(err)
			}
		}
	}()
	f("http://`+address+`")
}
`)
	source = strings.ReplaceAll(source, `{\"version\": \"git\"}`, `{\"version\": \"2.12.0\"}`)
	for _, unused := range []string{`"flag"`, `"os"`, `"time"`, `"github.com/prometheus/client_golang/prometheus"`, `"github.com/rs/zerolog"`, `"github.com/Shopify/toxiproxy/v2"`} {
		source = strings.Replace(source, "\t"+unused+"\n", "", 1)
	}
	source = strings.Replace(source, "var testServer *toxiproxy.ApiServer\n", "", 1)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		source = strings.ReplaceAll(source, host+":8475", address)
	}
	free := map[string]string{}
	return regexp.MustCompile(`(localhost|127\.0\.0\.1):(\d{4})\b`).ReplaceAllStringFunc(source, func(found string) string {
		host, port, _ := strings.Cut(found, ":")
		if free[port] == "" {
			free[port] = strconv.Itoa(freeport.Port())
		}
		return fmt.Sprintf("%s:%s", host, free[port])
	})
}
