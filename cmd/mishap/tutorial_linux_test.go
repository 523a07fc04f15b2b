package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The two lines of the tutorial that reach for the network; the testbed has got what they get.
const (
	tutorialInstalls = "python3 -m venv venv\nvenv/bin/pip install -q pg8000 redis\n"
	tutorialHas      = "mkdir -p venv/bin && printf '#!/bin/sh\\nexec %s \"$@\"\\n' \"$MISHAP_TUTORIAL_PYTHON\" >venv/bin/python && chmod +x venv/bin/python\n"
)

// A machine that does much else may take long to answer, which none of the verdicts is about.
const tutorialPatience = `sed -i 's/"<= 2s"/"<= 1m"/; s/timeout: 5s/timeout: 2m/; s/within: 1m/within: 5m/' experiments/*.yaml` + "\n"

// What the tutorial takes for granted, in namespaces of its own, where every port is free.
const tutorialServers = `
ip link set lo up
redis-server --port 6379 --save '' --dir / >/dev/null 2>&1 &
as="setpriv --reuid 65534 --regid 65534 --clear-groups"
mkdir "$SERVERS/pg" && chown 65534:65534 "$SERVERS/pg"
(cd / && $as initdb -D "$SERVERS/pg" -U postgres -A trust --no-sync --locale=C -E UTF8 && $as pg_ctl -D "$SERVERS/pg" -o "-c unix_socket_directories='' -c listen_addresses=127.0.0.1" -l "$SERVERS/pg/log" -w start) >"$SERVERS/log" 2>&1 || cat "$SERVERS/log"
`

// tutorialScript is the page as a script: each command in its order, the service as a file, and what is changed in it.
func tutorialScript(t *testing.T, page, folder string) string {
	t.Helper()
	var script strings.Builder
	script.WriteString("set -eu\n" + tutorialServers)
	shop, commands := "", 0
	for _, block := range regexp.MustCompile("(?ms)^```([a-z]+)( exits ([0-9]+))?\n(.*?)^```$").FindAllStringSubmatch(page, -1) {
		kind, code, text := block[1], block[3], block[4]
		switch kind {
		case "python":
			shop = text
			if err := os.WriteFile(filepath.Join(folder, "shop.py"), []byte(shop), 0o644); err != nil {
				t.Fatal(err)
			}
		case "diff":
			shop = patched(t, shop, text)
			if err := os.WriteFile(filepath.Join(folder, "mended.py"), []byte(shop), 0o644); err != nil {
				t.Fatal(err)
			}
			script.WriteString("cp mended.py shop.py\n")
		case "sh":
			commands += strings.Count(text, "\n")
			text = strings.Replace(text, tutorialInstalls, tutorialHas, 1)
			if code != "" {
				text = fmt.Sprintf("set +e\n%scode=$?\nset -e\n[ $code = %s ] || { echo \"exit $code, want %s\"; exit 1; }\n", text, code, code)
			}
			script.WriteString(text)
			if strings.Contains(text, "mishap init ") {
				script.WriteString(tutorialPatience)
			}
		}
	}
	if commands < 30 || !strings.Contains(script.String(), tutorialHas) || !strings.Contains(script.String(), "mended.py") {
		t.Fatalf("of the page only this is read:\n%s", script.String())
	}
	script.WriteString("echo the tutorial is over\n")
	return script.String()
}

// patched is a text with the lines of a diff changed.
func patched(t *testing.T, text, diff string) string {
	t.Helper()
	var before, after strings.Builder
	for line := range strings.Lines(diff) {
		if line[0] != '+' {
			before.WriteString(line[1:])
		}
		if line[0] != '-' {
			after.WriteString(line[1:])
		}
	}
	if strings.Count(text, before.String()) != 1 {
		t.Fatalf("the diff does not fit:\n%s", before.String())
	}
	return strings.Replace(text, before.String(), after.String(), 1)
}

// TestEveryCommandOfTheTutorialDoesWhatItSays runs the page, against a real
// PostgreSQL and a real Redis.
func TestEveryCommandOfTheTutorialDoesWhatItSays(t *testing.T) {
	if os.Getenv("MISHAP_TUTORIAL_PYTHON") == "" {
		t.Skip("SKIPPED: the testbed is not there: eval \"$(.ci/testbed)\"")
	}
	for _, need := range []string{"unshare", "setpriv", "ip", "bash", "curl", "git", "initdb", "pg_ctl", "redis-server"} {
		if _, err := exec.LookPath(need); err != nil {
			t.Skipf("SKIPPED: there is no %s", need)
		}
	}
	if os.Geteuid() != 0 || exec.Command("unshare", "--net", "--pid", "--fork", "--mount-proc", "true").Run() != nil {
		t.Skip("SKIPPED: namespaces cannot be made here")
	}
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "tutorial.md"))
	if err != nil {
		t.Fatal(err)
	}
	b := newBuild(t)
	servers, err := os.MkdirTemp("", "mishap-tutorial-") // one that PostgreSQL's user may enter
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(servers)
	if err := errors.Join(os.Chmod(servers, 0o755), os.RemoveAll(filepath.Join(b.folder, "experiments"))); err != nil {
		t.Fatal(err)
	}
	script := tutorialScript(t, string(page), b.folder)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script)
	cmd.Dir = b.folder
	cmd.Env = append(b.env, "SERVERS="+servers, "HOME="+b.folder, "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rest := string(out)
	for _, want := range []string{
		"visit 1 at 20", "wrote mishap.yaml: proxy postgres, proxy redis", "4 valid", "visit 3 at 20", "proxy redis", "HELD: ", "DEVIATED: ",
		"2 experiments in ", ": 1 held, 1 deviated", "held      slow-redis ", "deviated  without-redis ", "500", "HELD: ", "without-redis", "ready", "in force since", "the tutorial is over",
	} {
		before, after, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q behind\n%s\nin\n%s", want, strings.TrimSuffix(string(out), rest), rest)
		}
		rest = before[len(before):] + after
	}
	if info, err := os.Stat(filepath.Join(b.folder, "report.html")); err != nil || info.Size() < 10_000 {
		t.Errorf("report.html: %v, %v", info, err)
	}
	if os.Getenv("MISHAP_TUTORIAL_SHOW") != "" {
		t.Logf("%s", out)
	}
}
