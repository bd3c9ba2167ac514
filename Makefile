# Everything here is a shorthand: the Go tool alone builds, runs and tests the
# project (see README.md). `make` prints what there is.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

# The versions of the tools, all from the Go module proxy.
STATICCHECK_VERSION   := v0.8.2
WORKFLOWCHECK_VERSION := v0.6.0
GOLANGCI_VERSION      := v2.15.0
# Later ones need modules that the proxy does not have.
NFPM_VERSION          := v2.45.2

.PHONY: help
help: ## print this
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# build-and-tell runs a go build that may take minutes and says how far it is:
# "go build -v" names each package when it compiles it, and nothing that the
# build cache has.
define build-and-tell
log=$$(mktemp); build=
trap 'rm -f "$$log"' EXIT
trap 'kill $$build; exit 130' INT TERM
echo "==> go build -o $@ ./$(1)"
go build -v -o $@ ./$(1) >"$$log" 2>&1 & build=$$!
start=$$SECONDS; told=0
while sleep 0.5; kill -0 $$build 2>/dev/null; do
	elapsed=$$((SECONDS - start))
	if ((elapsed < told + 20)); then continue; fi
	modules=$$(grep -c '^go: downloading' "$$log" || true)
	packages=$$(grep -cv '^go: ' "$$log" || true)
	if ((told == 0 && modules + packages > 30)); then
		echo "    $(3)"
	fi
	told=$$elapsed
	echo "    $$elapsed s: $$modules modules downloaded, $$packages of at most $(2) packages compiled; now $$(tail -n 1 "$$log")"
done
if ! wait $$build; then cat "$$log" >&2; exit 1; fi
echo "    done after $$((SECONDS - start)) s"
endef

.PHONY: demo
demo: bin/ec-syncd ## watch a replication between two Chef servers, after a build that says how far it is
	exec bin/ec-syncd demo

.PHONY: build
build: bin/ec-syncd bin/chef-sync-ctl ## build bin/ec-syncd and bin/chef-sync-ctl

# Always asked for: the Go tool knows better than make what has changed.
.PHONY: bin/ec-syncd bin/chef-sync-ctl
bin/ec-syncd:
	@$(call build-and-tell,worker,1850,The first build downloads 1.5 GB of modules and compiles a Temporal server: 7 to 12 minutes on 2 cores. Later ones take seconds.)

bin/chef-sync-ctl:
	@$(call build-and-tell,starter,520,The first build takes a minute or two on 2 cores. Later ones take seconds.)

.PHONY: short
short: ## tests that need no installed server; under 30 s once compiled
	go test -p 2 -short ./...

.PHONY: test
test: ## all tests; as root on Debian they install what they need
	go test -p 2 -timeout 30m ./...

.PHONY: bench
bench: ## measure against a bare loop that makes the same calls
	go test ./tests/bench -run '^$$' -bench . -benchtime 1x -timeout 60m
	go test ./internal/feedserver/changelog -run '^$$' -bench . -timeout 30m

.PHONY: bench-scale
bench-scale: ## measure 100, 500 and 2,000 pairs in one ec-syncd, some 20 minutes
	go test ./tests/bench -run '^$$' -bench Scale -benchtime 1x -timeout 60m

.PHONY: soak
soak: ## take everything away that a pair needs, at random, and print what it survived: make soak DURATION=1h (for each of two tests)
	CHEF_SYNC_SOAK='$(or $(DURATION),10m)' go test ./tests/integration -run 'TestSurvive|TestSoak' -count 1 -v -timeout 0

.PHONY: docs
docs: ## write what the documentation has from the code: docs/settings.md
	go generate ./internal/config

.PHONY: screenshots
screenshots: ## take the pictures of the Web UI in docs/images anew
	CHEF_SYNC_SCREENSHOTS="$(CURDIR)/docs/images" go test ./tests/integration -run TestWebUIShowsThePairs -count 1

.PHONY: record-history
record-history: ## keep a history of the workflows for tests/replay: make record-history NAME=v1.2.3
	go test ./tests/replay -run Fresh -count 1 -record "$(or $(NAME),$(error NAME=... is missing))"

.PHONY: check
check: ## what a change has to pass besides the tests; compiles golangci-lint the first time
	.ci/run gofmt imports vet noembed staticcheck workflowcheck golangci race

.PHONY: ci
ci: ## what continuous integration runs, the tests included
	.ci/run

# For a release. Another architecture, or CGO_ENABLED, means other objects than those of
# "make build": the Temporal server is compiled once more for each, 7 to 12 minutes.
.PHONY: packages
packages: ## .deb and .rpm in dist/: make packages VERSION=1.2.3 ARCH=amd64 (default: both)
	FORMATS='$(or $(FORMATS),deb rpm)' VERSION='$(VERSION)' packaging/build $(or $(ARCH),amd64 arm64)

.PHONY: compose-check
compose-check: ## check docker-compose.yml; needs docker-compose but no engine
	docker-compose -f docker-compose.yml -f deploy/compose/second-replica.yml --profile monitoring config --quiet
