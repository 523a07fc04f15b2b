package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"

	"mishap/internal/gittest"
)

// hostileCommits are kinds of commits that somebody who may push can push. Those
// that are large are larger in the full attack.
var hostileCommits = []struct {
	name string
	make func(dice *rand.Rand, r *gittest.Repo, full bool)
}{
	{"a tree bomb", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		below := gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob("x\n")}
		for range 2 + dice.IntN(30) {
			var all []gittest.Entry
			for i := range 2 + dice.IntN(20) {
				below.Name = fmt.Sprintf("d%02d%s", i, pick(dice, []string{"", ".yaml"}))
				all = append(all, below)
			}
			below = gittest.Entry{Mode: gittest.Dir, Of: r.Tree(all...)}
		}
		below.Name = "chaos"
		r.CommitTree(r.Tree(below))
	}},
	{"a deep tree", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		below := gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob("x\n")}
		for range 30 + dice.IntN(5000) {
			below = gittest.Entry{Mode: gittest.Dir, Name: "d", Of: r.Tree(below)}
		}
		below.Name = "chaos"
		r.CommitTree(r.Tree(below))
	}},
	{"links", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		to := []string{"a.yaml", "b.yaml", "/etc/passwd", "../../../../etc/passwd", "..", ".", "", "up/up/up/a.yaml", "a.yaml/x", "/proc/self/environ", strings.Repeat("./", 5000) + "a.yaml", "\x00", "\xff", "up"}
		all := []gittest.Entry{{Mode: gittest.Link, Name: "up", Of: r.Blob(pick(dice, to))}}
		for i := range 1 + dice.IntN(60) {
			all = append(all, gittest.Entry{Mode: gittest.Link, Name: fmt.Sprintf("l%02d.yaml", i), Of: r.Blob(pick(dice, append(to, fmt.Sprintf("l%02d.yaml", i+1), fmt.Sprintf("l%02d.yaml", i-1))))})
		}
		chaos(r, all...)
	}},
	{"links among ten thousand files", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		var sub []gittest.Entry
		for i := range 10_000 {
			sub = append(sub, gittest.Entry{Mode: gittest.File, Name: fmt.Sprintf("f%d", i), Of: r.Blob("x\n")})
		}
		below := r.Tree(sub...)
		all := []gittest.Entry{{Mode: gittest.Dir, Name: "sub", Of: below}}
		for i := range 3000 {
			all = append(all, gittest.Entry{Mode: gittest.Link, Name: fmt.Sprintf("l%d.yaml", i), Of: r.Blob(strings.Repeat("sub/../", 1+dice.IntN(20)) + "sub/f1")})
		}
		chaos(r, all...)
	}},
	{"a huge file", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		size := 1<<20 + dice.IntN(6<<20)
		if full {
			size = 1<<20 + dice.IntN(60<<20)
		}
		chaos(r, gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob(strings.Repeat("\n", size))})
	}},
	{"a file of many lines", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		chaos(r, gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: r.Blob(strings.Repeat(pick(dice, []string{"\n", "#\n", "- \n", "a:\n", "\r\n", " \n"}), dice.IntN(1<<19)))})
	}},
	{"an object of zeros", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		r.Zeros(60<<20 + dice.Int64N(10<<20))
		chaos(r)
	}},
	{"many objects of zeros", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		n := 2
		if full {
			n = 25
		}
		for range n {
			r.Zeros(50<<20 + dice.Int64N(10<<20))
		}
		chaos(r)
	}},
	{"differences that make much", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		base := r.Blob(strings.Repeat("a", 1<<20))
		sizes, n := []int{1, 1 << 20, 8 << 20, 15 << 20, 16 << 20, 64 << 20, 1 << 30, 1 << 40}, 3
		if full {
			n = 60
		}
		for range n {
			r.Delta(base, 1<<20, pick(dice, sizes[:4+dice.IntN(5)]), 1<<20)
		}
		chaos(r)
	}},
	{"an endless pack", func(_ *rand.Rand, r *gittest.Repo, full bool) {
		chaos(r)
		r.Count, r.More = 1000, 4<<20
		if full {
			r.More = 1 << 30
		}
	}},
	{"a pack that lies", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		chaos(r)
		switch dice.IntN(6) {
		case 0:
			r.Count = 1 << 31
		case 1:
			r.Cut = 1 + dice.IntN(60)
		case 2:
			r.Packed(byte(dice.IntN(8)), dice.Int64N(1<<40), nil, strings.NewReader("x"))
		case 3:
			r.Packed(6, 5, []byte{byte(dice.IntN(128))}, strings.NewReader("\x05\x05\x91\x00\x05"))
		case 4:
			r.Packed(3, 5, nil, io.LimitReader(strings.NewReader(strings.Repeat("y", 1<<20)), 1<<20))
		default:
			r.Delta(gittest.Hash{1, 2}, dice.IntN(1<<20), dice.IntN(1<<20), 1+dice.IntN(1<<16))
		}
	}},
	{"names that are none", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		names := []string{".git", ".GIT", "..", ".", "", "a/b", "/etc", "\\", "a\nb.yaml", "a\x1b[2J.yaml", "\u202elmay.a.yaml", "\xff\xfe.yaml", "con.yaml", "A.yaml", "a.yaml", "mishap.yaml", "-rf.yaml", strings.Repeat("x", 4096) + ".yaml", ".gitmodules", "git~1", "a.yaml ", "a.yaml.", "\u2028.yaml", "environments"}
		modes := []string{gittest.File, gittest.Dir, gittest.Link, gittest.Submodule, "100755", "0", "777", "", "100664", "4000000000000", "x"}
		var all []gittest.Entry
		for range 1 + dice.IntN(5) {
			mode, of := pick(dice, modes), r.Blob("a: 1\n")
			if mode == gittest.Dir {
				of = r.Tree(gittest.Entry{Mode: gittest.File, Name: "a.yaml", Of: of})
			}
			all = append(all, gittest.Entry{Mode: mode, Name: pick(dice, names), Of: of})
		}
		chaos(r, all...)
	}},
	{"a hundred thousand files", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		n := 5_000
		if full {
			n = 95_000 + dice.IntN(10_000)
		}
		name := pick(dice, []string{"f%06d", "f%06d.yaml"})
		all, of := make([]gittest.Entry, n), r.Blob("a: 1\n")
		for i := range all {
			all[i] = gittest.Entry{Mode: gittest.File, Name: fmt.Sprintf(name, i), Of: of}
		}
		chaos(r, all...)
	}},
	{"a list of nothing but names", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		n := 10_000
		if full {
			n = 500_000 + dice.IntN(500_000)
		}
		r.CommitTree(r.RawTree([]byte(strings.Repeat("100644 a\x00"+strings.Repeat("\x01", 20), n))))
	}},
	{"a list that is none", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		list := make([]byte, dice.IntN(300))
		for i := range list {
			list[i] = byte(dice.IntN(256))
		}
		r.CommitTree(r.RawTree(list))
	}},
	{"a commit that is none", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		tree := gittest.Hash{9}.String()
		r.RawCommit(pick(dice, []string{"", "tree " + tree, "tree x\n", "tree " + tree + "\nparent " + strings.Repeat(tree+"\nparent ", 10000), "tree " + tree + "\nauthor " + strings.Repeat("a", 1<<20) + "\n\n",
			"tree " + tree + "\nauthor \x1b[2J <\xff> 99999999999999999999 +9999\ngpgsig " + strings.Repeat("-", 1<<16) + "\n\n\xff"}))
	}},
	{"files that are bombs", func(dice *rand.Rand, r *gittest.Repo, _ bool) {
		var all []gittest.Entry
		for i := range 1 + dice.IntN(8) {
			all = append(all, gittest.Entry{Mode: gittest.File, Name: fmt.Sprintf("m%d.yaml", i), Of: r.Blob(pick(dice, monsters)(dice))})
		}
		chaos(r, all...)
	}},
	{"a storm of cron", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		n := 200
		if full {
			n = 2_000
		}
		chaos(r, manyExperiments(r, n, pick(dice, []string{"* * * * *", "@every 1s", "0-59/1 * * * *", "0 0 30 2 *", "0 0 29 2 1"}))...)
	}},
	{"as many experiments as there may be", func(_ *rand.Rand, r *gittest.Repo, full bool) {
		n := 300
		if full {
			n = 10_000
		}
		chaos(r, manyExperiments(r, n, "@yearly")...)
	}},
	{"as many bytes as there may be", func(dice *rand.Rand, r *gittest.Repo, full bool) {
		n := 3
		if full {
			n = 64
		}
		text := experiment("much") + strings.Repeat("# "+strings.Repeat("x", 60)+"\n", 16_000)
		var all []gittest.Entry
		for i := range n {
			one := strings.Replace(text, "flag-file", fmt.Sprintf("much-%d", i), 1)
			all = append(all, gittest.Entry{Mode: gittest.File, Name: fmt.Sprintf("m%d.yaml", i), Of: r.Blob(one[:len(one)-dice.IntN(100)])})
		}
		chaos(r, all...)
	}},
}

// manyExperiments are so many with the same schedule. None of them ever runs: what
// they do is not what is tried.
func manyExperiments(r *gittest.Repo, n int, cron string) (all []gittest.Entry) {
	for i := range n {
		text := strings.NewReplacer("flag-file", fmt.Sprintf("many-%d", i), "@yearly", cron, "[touch, flag]", "[unlisted, flag]").Replace(experiment("many"))
		all = append(all, gittest.Entry{Mode: gittest.File, Name: fmt.Sprintf("e%05d.yaml", i), Of: r.Blob(text)})
	}
	return all
}
