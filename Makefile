# mishap: `make` prints the targets.
SHELL      := /bin/bash
VERSION    ?= $(shell .ci/version)
GO         ?= go
N          ?= 200
export CGO_ENABLED = 0
LDFLAGS    := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help demo build install test race race-core lint attack attack-kills attack-inputs attack-brake crash bench bench-analysis bench-serve bench-proxy bench-proxy-hangs soak-proxy attack-fleet trials-aws trials-moto bench-aws check-worlds check-arms check-pairs check-callers check-h2 check-differential check-deploy check-container fuzz-api release check-packages fmt clean

help: ## print this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## see three verdicts on a small shop: held, and deviated twice
	bin/mishap demo

build: ## build bin/mishap, a static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mishap ./cmd/mishap

install: ## install mishap into $$GOBIN
	$(GO) install -trimpath -ldflags '$(LDFLAGS)' ./cmd/mishap

test: build ## get what tests need (pinned, into .cache), then run all tests and checks
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; $(MAKE) --no-print-directory lint vet-all; MISHAP_PROGRAM=$(CURDIR)/bin/mishap $(GO) test -count=1 -timeout 25m -parallel 6 ./...; $(MAKE) --no-print-directory race-core

# What a run is made of, in goroutines that share it.
race-core:
	@if command -v $${CC:-cc} >/dev/null; then \
	  CGO_ENABLED=1 $(GO) test -race -count=1 ./internal/runner ./internal/keeper ./internal/comparison ./internal/forward ./internal/aid ./internal/engine ./internal/server ./internal/httpapi ./internal/app ./internal/catalog ./internal/member ./internal/callers; \
	else echo "SKIPPED: the race detector needs a C compiler" >&2; fi

vet-all:
	$(GO) vet ./...
	@for p in linux/arm64 darwin/arm64; do echo "go vet ($$p)"; GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) vet ./...; done

race: ## run all tests under the race detector (needs a C compiler)
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; CGO_ENABLED=1 $(GO) test -race -count=1 ./...

lint: ## run golangci-lint, at the version pinned in tools/go.mod
	$(GO) tool -modfile=tools/go.mod golangci-lint run

crash: build ## kill mishap at N random moments, with and without its keeper, and take its output away (N=200)
	MISHAP_CRASHES=$(N) $(GO) test -count=1 -timeout 60m -v -run 'TestKilled' ./cmd/mishap

attack: attack-kills attack-inputs attack-brake attack-fleet ## all four attacks; N is of rounds (an hour or more)

attack-kills: ## kill, freeze, hang up and damage N runs with five faults in, all over mishap, keeper, proxy and target (N=500)
	MISHAP_ATTACK=$(if $(filter file,$(origin N)),500,$(N)) MISHAP_ATTACK_LANES=$(or $(LANES),4) $(GO) test -count=1 -timeout 6h -v -run TestKilledFrozenAndDamaged ./cmd/mishap

bench: build ## compare with Chaos Toolkit 1.19, and measure what the README states
	.ci/bench

bench-serve: build ## measure serve: schedules due at once, idle, loading, a push; and the ledger in PostgreSQL
	.ci/bench-serve
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; $(GO) test -run xx -bench NextDue ./internal/ledger | grep Benchmark; \
	  MISHAP_FLEET_RUNS=300 $(GO) test -count=1 -v -run 'TestAKilledServersFaults|TestHalt' ./cmd/mishap | grep -v '^=== '

check-worlds: ## play N runs of each made-up system against the real book and analysis: no verdict wrong more often than chance (N=2000, hours; WORLD=regexp)
	@MISHAP_WORLDS=$(if $(filter file,$(origin N)),2000,$(N)) MISHAP_WORLD='$(WORLD)' $(GO) test -count=1 -timeout 24h -run TestNoVerdictIsWrong ./internal/worlds -v | grep -v '^=== '

bench-analysis: ## measure the comparison: time to show harm and to clear, in simulations (an hour or more)
	$(GO) test -count=1 -timeout 6h -v -run TestSimulations ./internal/analysis -sim 300
	MISHAP_ANALYSIS=full $(GO) test -count=1 -timeout 6h -v -run TestBench ./internal/worlds | grep -v '^=== '

trials-aws: ## try faults in AWS at random, in memory, N times: processes that die, networks that are cut, calls that go wrong, others who change things (N=9000; SEED)
	@d=/dev/shm; [ -w $$d ] || d=$${TMPDIR:-/tmp}; TMPDIR=$$d MISHAP_TRIALS=$(if $(filter file,$(origin N)),9000,$(N)) MISHAP_SEED=$(SEED) \
	  $(GO) test -count=1 -timeout 6h -v -run TestWhateverGoesWrongAtRandomNothing ./injectors/aws | grep -v '^=== '

trials-moto: ## the same on moto, in real time: server and keeper that die, lost calls and answers (N=1000, half an hour; SEED)
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; MISHAP_MOTO_TRIALS=$(if $(filter file,$(origin N)),1000,$(N)) MISHAP_SEED=$(SEED) \
	  $(GO) test -count=1 -timeout 6h -v -run TestWhateverGoesWrongAtRandomOnAServer ./injectors/aws | grep -v '^=== '

bench-aws: build ## measure what faults in AWS cost, on the AWS in memory: time, calls, vault, sweep; and program and keeper
	.ci/bench-aws

bench-proxy: build ## compare mishap proxy with toxiproxy, nginx and haproxy
	.ci/bench-proxy

bench-proxy-hangs: build ## add and remove faults N times while clients stall, leave and flood (N=10000)
	.ci/bench-proxy -hangs $(if $(filter file,$(origin N)),10000,$(N))

soak-proxy: build ## keep 9,000 connections for FOR while their fault changes every second (FOR=10m)
	.ci/bench-proxy -soak $(or $(FOR),10m)

attack-fleet: ## hurt a fleet on PostgreSQL: N rounds of kills, freezes, thaws and restarts, two failovers with 300 runs, clocks that jump (N=200)
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; MISHAP_FLEET=$(N) MISHAP_FAILOVER=300 $(GO) test -count=1 -timeout 6h -v -run 'TestFleet|TestAThawed|TestTheClock' ./cmd/mishap

check-pairs: build ## N pairs of runs, hands and Toxiproxy clients on shared proxies: no false verdict (N=50)
	MISHAP_PAIRS=$(N) $(GO) test -count=1 -timeout 60m -v -run TestPairs ./cmd/mishap

check-arms: build ## N runs without and N with harm on real proxies, 20 at a time (N=200; a quarter of an hour)
	MISHAP_ARMS=$(N) $(GO) test -count=1 -timeout 6h -v -run 'TestHealthyArms|TestHarmIsStopped' ./cmd/mishap

check-callers: ## run real clients in Go, Java and Python N times each, and check that their retry policies are told (N=100)
	.ci/check-callers -runs $(if $(filter file,$(origin N)),100,$(N)) -write docs/callers.md

check-h2: build ## run h2spec against the proxy, in clear text and over TLS
	.ci/check-h2

check-differential: build ## ask difficult upstreams directly, through nginx and through the proxy, with grpc-go, net/http, curl and h2load
	@set -e; bed=$$(.ci/testbed); eval "$$bed"; table=$$(mktemp); trap 'rm -f "$$table"' EXIT; \
	  MISHAP_PROGRAM=$(CURDIR)/bin/mishap MISHAP_DIFFERENTIAL=full MISHAP_DIFFERENTIAL_TABLE=$$table $(GO) test -count=1 -timeout 30m ./internal/forward/differential || bad=1; \
	  cat "$$table"; exit $${bad:-0}

check-deploy: ## check the files of deploy/ against the schemas of what reads them, and with actionlint
	.ci/check-deploy

check-container: ## build the image, and run it beside an application under a Docker Engine of its own
	.ci/check-container

attack-inputs: build ## 20,000 fuzzed experiment files, 5,000 fuzzed API calls, 200 hostile commits (SEED=1)
	MISHAP_ATTACK_INPUTS=full MISHAP_ATTACK_SEED=$(or $(SEED),1) $(GO) test -count=1 -timeout 60m -v -run 'TestNo(ExperimentFile|CallOfTheAPI|Commit)Brings' ./cmd/mishap | grep -v '^=== '

attack-brake: ## hold 2,000 idle and slow connections to everything that listens, at 1,024 descriptors, and brake
	MISHAP_FLOOD=2000 $(GO) test -count=1 -timeout 10m -parallel 1 -v -run TestAFlood ./cmd/mishap

fuzz-api: build ## let schemathesis, pinned, look for faults in the API
	.ci/fuzz-api

release: ## build what is released into dist/: archives, deb, rpm, image, SBOMs, checksums; the same bytes for the same commit
	VERSION='$(VERSION)' GO='$(GO)' .ci/release dist

check-packages: ## build it twice and compare, install each package into an empty root, and run version and demo from it (Linux, root)
	GO='$(GO)' .ci/check-packages

fmt: ## format the source
	gofmt -w .

clean: ## remove what was built, and what tests got
	rm -rf bin dist .cache mishap-demo
