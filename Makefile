# mishap: `make` prints the targets.
SHELL      := /bin/bash
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO         ?= go
export CGO_ENABLED = 0
LDFLAGS    := -s -w -X main.version=$(VERSION)

.DEFAULT_GOAL := help
.PHONY: help build install test race fmt clean

help: ## print this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/mishap, a static binary
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/mishap ./cmd/mishap

install: ## install mishap into $GOBIN
	$(GO) install -trimpath -ldflags '$(LDFLAGS)' ./cmd/mishap

test: build ## run all tests
	$(GO) vet ./...
	$(GO) test -count=1 ./...

race: ## run all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -count=1 ./...

fmt: ## format the source
	gofmt -w .

clean: ## remove what was built
	rm -rf bin dist
