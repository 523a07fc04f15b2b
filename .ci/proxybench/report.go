package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// results are the rounds so far.
type results struct{ rounds []round }

func (r *results) add(n int, target string, v values) {
	for len(r.rounds) <= n {
		r.rounds = append(r.rounds, round{})
	}
	if r.rounds[n][target] == nil {
		r.rounds[n][target] = values{}
	}
	for metric, x := range v {
		r.rounds[n][target][metric] = x
	}
}

// spread is a row's numbers of one target, sorted.
func (r *results) spread(w row, target string) (list []float64) {
	for _, round := range r.rounds {
		if x, ok := w.compute(round, target); ok {
			list = append(list, x)
		}
	}
	slices.Sort(list)
	return list
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// show gives the median, and the least and the most of several.
func show(w row, list []float64) string {
	switch len(list) {
	case 0:
		return "-"
	case 1:
		return fmt.Sprintf(w.format, list[0])
	}
	return fmt.Sprintf(w.format+" ("+w.format+"–"+w.format+")", median(list), list[0], list[len(list)-1])
}

// verdict says how mishap does. Only the medians count.
func (w row) verdict(list []float64) string {
	switch {
	case w.target.ok == nil && w.moonshot.ok == nil:
		return ""
	case len(list) == 0:
		return "**not measured**"
	}
	x := median(list)
	text := "met, moonshot too"
	switch {
	case w.target.ok != nil && !w.target.ok(x):
		text = "**misses target**"
	case w.moonshot.ok == nil:
		text = "met"
	case !w.moonshot.ok(x) && w.target.ok == nil:
		text = "misses moonshot"
	case !w.moonshot.ok(x):
		text = "met, misses moonshot"
	}
	if w.report {
		return "(reported: " + strings.Trim(text, "*") + ")"
	}
	return text
}

// report prints the table as Markdown.
func (b *bench) report() {
	fmt.Println("| row | mishap | toxiproxy | nginx | haproxy | target | moonshot | mishap's verdict |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, w := range rows() {
		line := []string{w.name}
		for _, target := range []string{"mishap", toxi, "nginx", "haproxy"} {
			line = append(line, show(w, b.results.spread(w, target)))
		}
		line = append(line, w.target.text, w.moonshot.text, w.verdict(b.results.spread(w, "mishap")))
		if line[1] == "-" && b.only != "" {
			continue
		}
		fmt.Println("| " + strings.Join(line, " | ") + " |")
	}
	b.notes()
}

// notes tell what a ratio hides.
func (b *bench) notes() {
	for n, r := range b.results.rounds {
		if hung, ok := r.get(toxi, "stalled-hung-at"); ok {
			fmt.Printf("\ntoxiproxy with a stalled client: no answer within %v, or a dead proxy, at trial %.0f.\n", patience, hung)
		}
		if hung, ok := r.get(toxi, "leave-hung"); ok {
			fmt.Printf("\ntoxiproxy right after bulk clients left: %.0f of 10 hang (limit 2 s).\n", hung)
		}
		for _, target := range []string{"mishap", toxi, "nginx", "haproxy"} {
			if _, ok := r.get(target, "semantics-refused"); ok {
				fmt.Printf("\n%s: half-close %.0f, server RST %.0f, client RST %.0f, refused %.0f.\n", target, r[target]["semantics-half-close"],
					r[target]["semantics-server-rst"], r[target]["semantics-client-rst"], r[target]["semantics-refused"])
			}
		}
		if b.raw {
			for target, v := range r {
				for metric, x := range v {
					fmt.Printf("raw %d %s %s %.4g\n", n+1, target, metric, x)
				}
			}
		}
	}
}

// preamble says what was measured, and where.
func (b *bench) preamble() {
	var u unix.Utsname
	_ = unix.Uname(&u)
	version, _ := exec.Command(b.mishap, "version").Output()
	others, _ := os.ReadFile(b.bin + "/../versions")
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Printf("%s, kernel %s, load %s; %s; toxiproxy 2.12.0, %s; reno, loopback, %d rounds; median (least–most) of the ratios of each round\n\n",
		time.Now().UTC().Format(time.DateOnly), unix.ByteSliceToString(u.Release[:]), strings.Fields(string(load))[0],
		strings.Split(string(version), "\n")[0], strings.Join(strings.Split(strings.TrimSpace(string(others)), "\n"), ", "), b.rounds)
}
