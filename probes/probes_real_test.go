//go:build unix

package probes_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"mishap"

	"mishap/internal/freeport"
)

// program finds a server, or skips the test and says so.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		t.Skipf("SKIPPED: %s is not installed, so the probe was not tested against it", name)
	}
	return path
}

// start runs a server in the foreground and kills it at the end of the test.
func start(t *testing.T, path string, args ...string) {
	t.Helper()
	command := exec.Command(path, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", path, text)
		}
	})
}

// until polls the probe until it is met.
func until(t *testing.T, kind string, with, expect any) mishap.Observation {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		o := observe(t, kind, with, expect)
		if o.Result == mishap.Met {
			return o
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %s: %q, %q", o.Result, o.Value, o.Detail)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestHTTPAgainstNginx(t *testing.T) {
	nginx, dir, port := program(t, "nginx"), t.TempDir(), strconv.Itoa(freeport.Port())
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(`
daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
  server {
    listen 127.0.0.1:%[2]s;
    location = /ok { default_type application/json; return 200 '{"state": "up", "n": 3}'; }
    location = /down { return 503; }
    location = /drop { return 444; }
  }
}`, dir, port))
	start(t, nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	url := "http://127.0.0.1:" + port
	until(t, "http", object{"url": url + "/ok"}, object{"status": 200, "json": object{"$.state": "up", "$.n": "<= 3"}, "latency": "<= 10s"})
	want(t, observe(t, "http", object{"url": url + "/down"}, nil), mishap.Unmet, "status 503, expected 2xx")
	want(t, observe(t, "http", object{"url": url + "/drop"}, nil), mishap.Unmet, "")
}

func TestTCPAgainstRedis(t *testing.T) {
	redis, port := program(t, "redis-server"), strconv.Itoa(freeport.Port())
	start(t, redis, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir(), "--requirepass", "hunter2-is-long")
	address := "127.0.0.1:" + port
	until(t, "tcp", object{"address": address, "send": "PING\r\n"}, object{"answer": "-NOAUTH"})
	want(t, observe(t, "tcp", object{"address": address, "send": "PING\r\n"}, object{"answerMatches": "^-"}), mishap.Met, "")
	secret := filepath.Join(t.TempDir(), "auth")
	write(t, secret, "AUTH hunter2-is-long\r\nPING\r\n\n")
	o := observe(t, "tcp", object{"address": address, "send": object{"file": secret}}, object{"answer": "+PONG", "latency": "<= 10s"})
	want(t, o, mishap.Met, "")
	wantWithin(t, "tcp", object{"address": address, "send": "PING\r\n"}, object{"answer": "+PONG"}, mishap.Unmet, func(time.Duration) string { return "NOAUTH" })
}

func TestPrometheusAgainstPrometheus(t *testing.T) {
	prometheus, dir, port := program(t, "prometheus"), t.TempDir(), strconv.Itoa(freeport.Port())
	write(t, filepath.Join(dir, "prometheus.yml"), fmt.Sprintf(
		"global: {scrape_interval: 1s}\nscrape_configs: [{job_name: self, static_configs: [{targets: [\"127.0.0.1:%s\"]}]}]\n", port))
	start(t, prometheus, "--config.file="+filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:"+port)
	ask := func(query string) object { return object{"url": "http://127.0.0.1:" + port, "query": query} }
	o := until(t, "prometheus", ask(`up{job="self"}`), object{"value": "= 1"})
	if o.Value != "1" {
		t.Errorf("value %q", o.Value)
	}
	want(t, observe(t, "prometheus", ask(`vector(3)`), object{"value": "< 3"}), mishap.Unmet, "value is 3, expected < 3")
	want(t, observe(t, "prometheus", ask(`scalar(vector(3))`), object{"value": "= 3"}), mishap.Met, "")
	want(t, observe(t, "prometheus", ask(`no_such_metric`), object{"value": "< 3"}), mishap.Unmeasured, "no data")
	want(t, observe(t, "prometheus", ask(`vector(0)/0`), object{"value": "< 3"}), mishap.Unmeasured, "not a number")
	want(t, observe(t, "prometheus", ask(`up{`), object{"value": "< 3"}), mishap.Unmeasured, "parse error")
	want(t, observe(t, "prometheus", ask(`up[1m]`), object{"value": "< 3"}), mishap.Unmeasured, "matrix")
	want(t, observe(t, "prometheus", ask(`label_replace(vector(1),"a","1","","") or label_replace(vector(2),"a","2","","")`), object{"value": "< 3"}), mishap.Unmeasured, "2 series")
}
