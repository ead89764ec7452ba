# Tapecast. `make demo` shows it, `make test` makes every check that CI makes; `make` alone lists the rest.
# Needs Go 1.26, and Node 20.19 for the page. What else is needed is fetched: npm packages, linters (into .bin/), Kafka's jars (by Maven).

SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

GOLANGCI_VERSION := 2.15.0
GOFUMPT_VERSION  := 0.12.0

# T is how long `make tiling` and `make figures` run; ARGS go to `tapecast demo`; FUZZTIME is given to each fuzz target.
T        ?= 60s
ARGS     ?=
FUZZTIME ?= 5s

# Go, Maven and npm keep their caches under HOME; an account without one gets a home in here.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.cache/home
$(shell mkdir -p $(HOME))
endif

ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
ifeq ($(shell command -v go 2>/dev/null),)
$(error Go 1.26 or newer is needed to build Tapecast, and there is no `go` in the PATH: see https://go.dev/dl)
endif
# Go stamps a build with its commit and fails where git cannot tell; the caller's GOFLAGS stay in front.
export GOFLAGS := $(shell go env GOFLAGS) $(shell git status --porcelain -uno >/dev/null 2>&1 && git rev-parse -q --verify HEAD >/dev/null 2>&1 || echo -buildvcs=false)
# The race detector needs a C compiler.
RACE := $(shell command -v $$(go env CC) >/dev/null 2>&1 && echo -race)
NODE_PROBLEM := $(shell .ci/node)
CHROMIUM := $(or $(TAPECAST_CHROMIUM),$(shell command -v chromium chromium-browser google-chrome-stable google-chrome 2>/dev/null | head -1))
endif

SUM    := .bin/sum
OUT    := $(CURDIR)/.ci/out
GOTEST := go test $(RACE) -shuffle=on -json -p 2
GOCODE := .ci $(wildcard cmd charts deploy fanout feed ui/*.go)
FULL   := TAPECAST_FULL=1 TAPECAST_T=$(T)

##@ Use

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { print "\n" substr($$0, 5) } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(if $(NODE_PROBLEM),,ui/dist/index.html) ## Build bin/tapecast with the page in it
	go build -o bin/tapecast ./cmd/tapecast
ifneq ($(NODE_PROBLEM),)
	@echo "No page in this build: it needs Node 20.19 or newer, and $(NODE_PROBLEM). Install it (https://nodejs.org) and run make again; the API and 'tapecast tail' work without."
endif

.PHONY: demo
demo: build ## Run market, Kafka, bars and a node on http://127.0.0.1:8080 (ARGS="--data DIR" keeps the tape)
	@bin/tapecast demo $(ARGS)

.PHONY: clean
clean: ## Remove what was built (fetched packages and tools stay)
	rm -rf bin .ci/out ui/test-results ui/playwright-report .bin/sum
	find ui/dist -mindepth 1 ! -name .gitkeep -delete

##@ Check

CHECKS := check-build lint page compose unit-sum check-go fuzz browser demo-short

.PHONY: test
test: export TAPECAST_RESULTS := $(OUT)/results.jsonl
test: $(SUM) ## Make every check that CI makes, and count them
	@rm -rf $(OUT) && mkdir -p $(OUT)
	@$(MAKE) --no-print-directory -k $(CHECKS) || $(SUM) run 'make (see *** above)' -- false
	@$(SUM) total

.PHONY: lint
lint: $(SUM) ## golangci-lint, gofumpt, tidy go.mod
	@if $(MAKE) --no-print-directory tools; then $(MAKE) --no-print-directory lint-steps; \
		else $(SUM) skip lint 'golangci-lint $(GOLANGCI_VERSION) or gofumpt $(GOFUMPT_VERSION) could not be fetched and built'; fi

.PHONY: format
format: tools ## Format Go and TypeScript
	.bin/gofumpt -w $(GOCODE)
	$(if $(NODE_PROBLEM),,npm --prefix ui run format)

.PHONY: unit
unit: $(SUM) ## Go tests that need neither a broker nor a built binary
	@$(SUM) run unit -- go test -short -shuffle=on -json -p 2 $$(go list ./... | grep -v /cmd/)

.PHONY: race
race: $(SUM) ## All Go tests under the race detector
	@$(SUM) run race -- $(GOTEST) -timeout 20m ./...

.PHONY: integration
integration: build $(SUM) ## Go tests on the embedded and on a real Kafka, and of the whole binary
	@$(SUM) run integration -- $(GOTEST) -count=1 -timeout 20m ./feed/kafka/... ./deploy/kafka/... ./cmd/...

.PHONY: page
page: $(SUM) ## Lint and unit tests of the page and its client
ifneq ($(NODE_PROBLEM),)
	@$(SUM) skip page 'Node 20.19 or newer is needed, and $(NODE_PROBLEM)'
else
	@if $(MAKE) --no-print-directory ui/node_modules/.package-lock.json; then $(MAKE) --no-print-directory page-steps; \
		else $(SUM) skip page 'its npm packages could not be fetched'; fi
endif

.PHONY: browser
browser: export TAPECAST_CHROMIUM := $(CHROMIUM)
browser: build $(SUM) ## The page in a real Chromium, against a demo on free ports
ifneq ($(NODE_PROBLEM),)
	@$(SUM) skip browser 'Node 20.19 or newer is needed, and $(NODE_PROBLEM)'
else ifeq ($(CHROMIUM),)
	@$(SUM) skip browser 'no Chromium in the PATH (Debian: apt-get install chromium; or set TAPECAST_CHROMIUM=/path/to/it)'
else
	@mkdir -p $(OUT)
	@$(SUM) run browser -report $(OUT)/playwright.json -- deploy/check/browser.sh $(OUT)/playwright.json
endif

.PHONY: compose
compose: build $(SUM) ## Each command, flag and path of docker-compose.yml against the binary
	@$(SUM) run compose -- go test -C deploy/compose -json ./...

.PHONY: fuzz
fuzz: $(SUM) ## Each fuzz target for FUZZTIME
	@.ci/fuzz $(SUM) $(FUZZTIME)

##@ Prove (the full form of what `make test` does in short)

.PHONY: tiling
tiling: build $(SUM) ## T=60s: clients on all four transports against real Kafka; no hole, no overlap, sums agree
	@$(FULL) $(SUM) run tiling -- $(GOTEST) -v -count=1 -timeout 60m -run '^TestTiling' ./cmd/tapecast

.PHONY: kill
kill: build $(SUM) ## kill -9 of node, feeder and broker in turn; still tiling, without a gap
	@$(FULL) $(SUM) run kill -- $(GOTEST) -v -count=1 -timeout 60m -run '^TestKill' ./cmd/tapecast

.PHONY: bars-check
bars-check: build $(SUM) ## Live bar = REST bar = bar computed from ticks
	@$(FULL) $(SUM) run bars-check -- $(GOTEST) -v -count=1 -timeout 60m -run '^TestBarsCheck' ./cmd/tapecast

.PHONY: chaos
chaos: build $(SUM) ## T=60s: 2,000 clients, some slow, stalled or coming and going; all tile, the others do not notice
	@$(FULL) $(SUM) run chaos -- go test -shuffle=on -json -v -count=1 -timeout 60m -run '^TestChaos' ./cmd/tapecast

.PHONY: demo-check
demo-check: $(SUM) ## Clean clone, empty HOME and caches: first tick within 2 s, Ctrl-C, resume, make test
	@TAPECAST_FULL=1 $(SUM) run demo-check -- deploy/check/demo.sh

.PHONY: figures
figures: build $(SUM) ## Measure, and write the README's table
	@$(FULL) $(SUM) run figures -- go test -json -v -count=1 -timeout 60m -run '^TestFigures' ./cmd/tapecast

.PHONY: bench
bench: ## All Go benchmarks, with allocations
	go test -run '^$$' -bench . -benchmem -p 1 ./...

.PHONY: bench-peers
bench-peers: ## Measure against peers and the floor, on a quiet machine (ARGS="-scenarios S-hot -o ''": less)
	@go run ./deploy/bench/run $(ARGS)

##@ Fetch

.PHONY: tools
tools: ## Linters of the pinned versions, into .bin/ (golangci-lint builds for some minutes, once)
	@.bin/golangci-lint version --short 2>/dev/null | grep -qx '$(GOLANGCI_VERSION)' || \
		{ echo 'building golangci-lint $(GOLANGCI_VERSION), some minutes'; GOBIN=$(CURDIR)/.bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$(GOLANGCI_VERSION); }
	@.bin/gofumpt -version 2>/dev/null | grep -q '^v$(GOFUMPT_VERSION) ' || \
		GOBIN=$(CURDIR)/.bin go install mvdan.cc/gofumpt@v$(GOFUMPT_VERSION)

# Not listed by help: parts of `make test`.

.PHONY: check-build lint-steps page-steps check-go demo-short unit-sum
check-build: $(SUM)
	@$(SUM) run build -- $(MAKE) --no-print-directory build

lint-steps:
	@$(SUM) run gofumpt -- bash -c 'bad=$$(.bin/gofumpt -l $(GOCODE)) && [ -z "$$bad" ] || { echo "not formatted; run make format:"; echo "$$bad"; exit 1; }'
	@$(SUM) run golangci-lint -- .bin/golangci-lint run ./... ./.ci/sum
	@$(SUM) run 'golangci-lint deploy/compose' -- bash -c 'cd deploy/compose && ../../.bin/golangci-lint run ./...'
	@$(SUM) run 'go.mod is tidy' -- go mod tidy -diff
	@$(SUM) run 'deploy/compose/go.mod is tidy' -- go -C deploy/compose mod tidy -diff

page-steps:
	@mkdir -p $(OUT)
	@$(SUM) run 'page lint' -- npm --prefix ui run lint
	@$(SUM) run 'page unit' -report $(OUT)/vitest.json -- npm --prefix ui test -- --reporter=default --reporter=json --outputFile.json=$(OUT)/vitest.json

# The tests of the whole binary look at times, so they have the machine to themselves.
check-go: $(SUM)
ifeq ($(RACE),)
	@$(SUM) skip 'race detector' 'no C compiler (Debian: apt-get install gcc libc6-dev)'
endif
	@$(SUM) run 'go test' -- $(GOTEST) -timeout 20m $$(go list ./... | grep -v /cmd/)
	@$(SUM) run 'go test, the whole binary' -- $(GOTEST) -timeout 20m ./cmd/...

demo-short: build $(SUM)
	@$(SUM) run demo-check -- deploy/check/demo.sh

unit-sum: $(SUM)
	@$(SUM) run 'the summary itself' -- go test -json ./.ci/sum

$(SUM): $(wildcard .ci/sum/*.go)
	@go build -o $@ ./.ci/sum

PAGE_SOURCES := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f \( -path 'ui/src/*' -o -path 'ui/public/*' -o -name '*.html' -o -name 'vite.config.*' -o -name 'tsconfig*.json' \) -print 2>/dev/null)

ui/node_modules/.package-lock.json: ui/package.json ui/package-lock.json
	npm --prefix ui ci --no-audit --no-fund
	@touch $@

ui/dist/index.html: $(PAGE_SOURCES) ui/node_modules/.package-lock.json
	npm --prefix ui run build
	@touch $@
