package experiments_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mishap"
	"mishap/experiments"
)

// valid returns the smallest experiment, changed by pairs of old and new text.
func valid(t testing.TB, changes ...string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/valid.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(string(data), changes[i]) {
			t.Fatalf("testdata/valid.yaml does not hold %q", changes[i])
		}
	}
	return strings.NewReplacer(changes...).Replace(string(data))
}

// write puts a file into a folder and returns its path.
func write(t testing.TB, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads one file that must be valid.
func load(t *testing.T, o experiments.Options, path string) mishap.Experiment {
	t.Helper()
	all, err := experiments.Load(context.Background(), []string{path}, o)
	if err != nil {
		t.Fatalf("load valid file:\n%v", err)
	}
	return all[0]
}

func TestDefaultsAreFilledIn(t *testing.T) {
	got := load(t, options(), "testdata/valid.yaml")
	got.Source = mishap.Source{}
	want := mishap.Experiment{
		Version: 1, Name: "checkout-survives", Group: "checkout-survives",
		Claim: "Customers can still check out when payments is slow.",
		SteadyState: []mishap.ProbeSpec{{
			Name: "a basket can be paid", Probe: "http",
			With: json.RawMessage(`{"url":"http://localhost:8080/pay"}`), Expect: json.RawMessage(`{"status":200}`),
			Every: mishap.Duration(time.Second), Timeout: mishap.Duration(5 * time.Second),
			OnDeviation: mishap.StopOnDeviation, When: []mishap.Phase{mishap.Before, mishap.During, mishap.After},
		}},
		Faults: []mishap.Fault{{
			Name: "payments is slow", Injector: "proxy-latency",
			Targets: json.RawMessage(`{"proxy":"payments"}`), With: json.RawMessage(`{"delay":"300ms"}`),
			For: mishap.Duration(5 * time.Minute),
		}},
		BlastRadius: mishap.BlastRadius{Targets: 1},
		Recovery:    mishap.DefaultRecovery(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("experiment differs (-want +got):\n%s", diff)
	}
}

func TestEverythingAFileMaySayIsRead(t *testing.T) {
	got := load(t, options(), "testdata/full.yaml")
	if got.Group != "checkout" || got.Owner != "checkout-team" || got.Tags["service"] != "checkout" {
		t.Errorf("group, owner or tags are lost: %+v", got)
	}
	p := got.SteadyState[0]
	if p.Allow != (mishap.Allowance{Count: 2, Window: 20}) || p.Unknown != (mishap.Allowance{Count: 1, Window: 5}) || p.OnDeviation != mishap.NoteDeviation || len(p.When) != 2 {
		t.Errorf("probe is lost: %+v", p)
	}
	if a := got.Faults[1].After; a == nil || *a != (mishap.FaultOrder{Fault: "payments is slow", Wait: mishap.Duration(time.Minute)}) {
		t.Errorf("after is lost: %+v", a)
	}
	if got.BlastRadius.Share != 0.05 || got.Recovery.Factor != 2 || got.Recovery.Jitter != 0.1 {
		t.Errorf("limits are lost: %+v %+v", got.BlastRadius, got.Recovery)
	}
	if diff := cmp.Diff(&mishap.Ready{Within: mishap.Duration(90 * time.Second), First: mishap.Duration(500 * time.Millisecond), Factor: 1.5, Cap: mishap.Duration(4 * time.Second), Jitter: 0.05}, got.Ready); diff != "" {
		t.Errorf("ready is lost (-want +got):\n%s", diff)
	}
	if want := `{"body":"literally ${basket}","headers":{"Authorization":{"env":"TOKEN"}},"method":"POST","url":"https://checkout.example/pay"}`; string(p.With) != want {
		t.Errorf("with = %s, want %s", p.With, want)
	}
}

func TestAComparisonIsReadWithWhatItsMarginsMean(t *testing.T) {
	got := load(t, options(), "testdata/compare.yaml")
	want := &mishap.Compare{
		Arms:    mishap.Arms{From: mishap.ArmsFromRequests, Proxy: "edge", Key: "cookie:session", Share: 0.05, Seed: 7},
		AtLeast: mishap.DefaultAtLeast, Baseline: mishap.BaselineTime{Time: mishap.Duration(30 * time.Second)}, Alpha: 0.001, Patience: mishap.DefaultPatience, StopAfter: mishap.StopAfter{ExtraFailures: 35},
		Metrics: []mishap.CompareMetric{
			{Name: "success-rate", Metric: mishap.SuccessRate, Source: "proxy", Harm: mishap.Decrease, Margin: mishap.Margin{Difference: 0.005}},
			{Name: "orders", Metric: mishap.EventRate, Source: "prometheus", With: json.RawMessage(`{"url":"http://localhost:9090"}`), Harm: mishap.Decrease, Margin: mishap.Margin{Ratio: 0.95}},
			{Name: "latency", Metric: mishap.Latency, Source: "proxy", Harm: mishap.Increase, Margin: mishap.Margin{Ratio: 1.2}, Weight: 0.2},
			{Name: "queue", Metric: mishap.Gauge, Source: "proxy", Harm: mishap.Increase, Margin: mishap.Margin{Difference: 3}},
		},
	}
	if diff := cmp.Diff(want, got.Compare); diff != "" {
		t.Errorf("compare differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&mishap.Cost{PerRequest: 0.25, PerMinute: 100, Currency: "EUR"}, got.Cost); diff != "" {
		t.Errorf("cost differs (-want +got):\n%s", diff)
	}
}

func TestGivenVariablesOverrideAndStayText(t *testing.T) {
	path := write(t, t.TempDir(), "a.yaml", valid(t, "http://localhost:8080", "${host}")+"vars: {host: \"http://a\"}\n")
	o := options()
	o.Vars = map[string]string{"host": `http://b", "method": "${x}`}
	if got, want := string(load(t, o, path).SteadyState[0].With), `{"url":"http://b\", \"method\": \"${x}/pay"}`; got != want {
		t.Errorf("with = %s, want %s", got, want)
	}
	o.Vars = map[string]string{"hots": "x"}
	if found := problems(t, o, path); !contains(found, "--var hots: no experiment declares") {
		t.Errorf("problems = %v", found)
	}
	o.Vars = map[string]string{"host": "http://\u202e"}
	if found := problems(t, o, path); !contains(found, "--var host: the value holds the invisible character") {
		t.Errorf("problems = %v", found)
	}
}

func TestFilesThatCannotBeExperimentsAreRefusedAtOnce(t *testing.T) {
	folder := t.TempDir()
	big := write(t, folder, "big.yaml", "")
	if err := os.Truncate(big, 50<<20); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(folder, "pipe.yaml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(folder, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	hidden := t.TempDir()
	write(t, hidden, ".git/a.yaml", "x")
	write(t, hidden, "mishap.yaml", "x")
	write(t, hidden, "notes.txt", "x")
	for _, test := range []struct{ name, path, want string }{
		{"50 MB", big, "larger than 1 MiB"},
		{"pipe", pipe, "not a regular file"},
		{"device", os.DevNull, "not a regular file"},
		{"missing", filepath.Join(folder, "nope.yaml"), "no such file"},
		{"empty folder", empty, "folder holds no experiment"},
		{"folder with hidden files and settings only", hidden, "folder holds no experiment"},
		{"binary", write(t, folder, "binary.yaml", "\x7fELF\x00\x01\x02"), "NUL"},
		{"many words", write(t, folder, "many.yaml", strings.Repeat("a: b\n", 1<<17)), "more than 20000 lines"},
		{"flow", write(t, folder, "flow.yaml", strings.Repeat("[", 1<<19)), "more than 1000 open brackets"},
		{"few brackets", write(t, folder, "few.yaml", strings.Repeat("[", 900)), "nested deeper"},
		{"many problems", write(t, folder, "problems.yaml", "version: 1\n"+strings.Repeat("a: b\n", 5000)), "more than 100 problems"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := problems(t, options(), test.path)
			if !contains(found, test.want) {
				t.Errorf("problems = %v, want %q", found, test.want)
			}
		})
	}
	if os.Getuid() != 0 {
		secret := write(t, folder, "secret.yaml", "x")
		if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		if found := problems(t, options(), secret); !contains(found, "permission denied") {
			t.Errorf("problems = %v", found)
		}
	}
}

func TestFoldersAreWalkedInOrderAndFilesReadOnce(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"b.yml", "a/z.yaml", "c.yaml"} {
		write(t, folder, name, valid(t, "checkout-survives", strings.NewReplacer("/", "-", ".", "-").Replace(name)))
	}
	write(t, folder, ".hidden/x.yaml", "nonsense")
	write(t, folder, "mishap.yaml", "nonsense: 1")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Fatal(err)
	}
	for _, root := range []string{folder, folder + "/", link} {
		all, err := experiments.Load(context.Background(), []string{root, filepath.Join(root, "c.yaml")}, options())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range all {
			names = append(names, e.Name)
		}
		if diff := cmp.Diff([]string{"a-z-yaml", "b-yml", "c-yaml"}, names); diff != "" {
			t.Errorf("order differs (-want +got):\n%s", diff)
		}
	}
}

func TestOneInvalidFileMeansNoExperiments(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.yaml", valid(t))
	write(t, folder, "b.yaml", "version: 9\n")
	found := problems(t, options(), folder)
	if len(found) != 1 || !strings.HasSuffix(found[0].File, "b.yaml") {
		t.Errorf("problems = %v", found)
	}
}

func TestTwoFilesCannotHaveOneName(t *testing.T) {
	folder := t.TempDir()
	write(t, folder, "a.yaml", valid(t))
	write(t, folder, "b.yaml", valid(t))
	found := problems(t, options(), folder)
	if len(found) != 1 || !contains(found, `two experiments named "checkout-survives"; the first is `+filepath.Join(folder, "a.yaml")+":3") || found[0].Line != 3 {
		t.Errorf("problems = %v", found)
	}
}

func TestProxiesAndLengthAreCheckedOnlyWhenAsked(t *testing.T) {
	path := write(t, t.TempDir(), "a.yaml", valid(t, "proxy: payments", "proxy: other", "for: 5m", "for: 20h"))
	load(t, experiments.Options{Catalogs: catalogs()}, path)
	if found := problems(t, experiments.Options{Catalogs: catalogs(), CheckProxies: true}, path); !contains(found, "no proxy") {
		t.Errorf("problems = %v", found)
	}
}

func TestCancelledLoadLoadsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := experiments.Load(ctx, []string{"testdata/valid.yaml"}, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}

func TestDigestIsOfWhatIsSaid(t *testing.T) {
	folder := t.TempDir()
	digest := func(content string) string {
		return load(t, options(), write(t, folder, "x.yaml", content)).Source.Digest
	}
	first := digest(valid(t))
	if !strings.HasPrefix(first, "sha256:") || len(first) != 71 {
		t.Errorf("digest = %q", first)
	}
	if same := digest("# a comment\n" + valid(t, "{proxy: payments}", `{"proxy": 'payments'}`)); same != first {
		t.Error("digest depends on comments or quotes")
	}
	if same := digest(valid(t, "http://localhost", "${h}") + "vars: {h: \"http://localhost\"}\n"); same != first {
		t.Error("digest is not of the experiment after substitution")
	}
	if other := digest(valid(t, "300ms", "301ms")); other == first {
		t.Error("digest does not depend on the delay")
	}
}

func BenchmarkLoad1000(b *testing.B) {
	folder := b.TempDir()
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		write(b, folder, fmt.Sprintf("team%d/%d.yaml", i%10, i), strings.Replace(string(data), "name: full", fmt.Sprintf("name: e%d", i), 1))
	}
	repository(b, folder)
	for b.Loop() {
		all, err := experiments.Load(b.Context(), []string{folder}, options())
		if err != nil || len(all) != 1000 {
			b.Fatalf("%d experiments, %v", len(all), err)
		}
	}
}
