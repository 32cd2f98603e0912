# Everything a developer or the CI runs. `make help` lists the targets.

# rclone's version leads, because tools that drive rclone parse it.
VERSION        ?= 0.1.0
RCLONE_VERSION := $(shell go list -m -f '{{.Version}}' github.com/rclone/rclone)

# Without cgo the binary is static and every step below shares one build cache;
# only the race detector needs a C compiler.
export CGO_ENABLED := 0
TAGS    := -tags noselfupdate
LDFLAGS := -s -w -X github.com/rclone/rclone/fs.Version=$(RCLONE_VERSION)-datom.$(VERSION)

# Concurrency lives here, and these packages build without all of rclone.
RACE_PKGS  := ./sync/... ./backend/...
PLAIN_PKGS := ./cmd/... ./fstest/...

# The engine's tests run twice: all of them as they are, and with the race
# detector those that neither make every call fail in turn nor count much.
CRASHES := ^Test(Prune|Undo|Tidy|Chunked|Copy|Convert|Repair|Life|Drill|Crash|Counts|Memory|Subset|Datomic(Crash|Counts|Repair|Memory|Adopt))

# So do those of the packages that mostly compute: a key from a password, a
# database of a million datoms, each real store there and back.
SLOW := ^Test(DiffReads|DiffAgainstAll|KeyLookIsShort|WrongKey|RightKey|ImportOf|DumpOf|DatahikeQueries|Datomic(Storages|Made)|CopiesOf|RecordsOf|BytesOf)
GO_TEST := go test -timeout 25m $(TAGS)
RACE    := CGO_ENABLED=1 $(GO_TEST) -race

# Pinned in tools/go.mod, apart from the product's dependencies.
TOOL := go tool -modfile=tools/go.mod

FUZZTIME ?= 10s
REF      ?= main
BENCH    ?= .
BENCHPKG ?= ./fstest/bench/...

.PHONY: all
all: build ## Same as build.

.PHONY: build
build: ## Build ./bin/rclone-datom.
	go build $(TAGS) -buildvcs=false -ldflags '$(LDFLAGS)' -o bin/rclone-datom ./cmd/rclone-datom

.PHONY: check
check: prepare build vet fmtcheck lint fuzzshort test ## What the CI runs: all of it, from a fresh machine.

# A server that is missing is a failure here; go test alone skips what needs it.
check test race: export DATOM_REQUIRE_SERVERS := 1

.PHONY: test
test: build ## Run all tests, with the race detector where concurrency lives.
	@failed=0; set -x; \
	$(RACE) -skip '$(SLOW)' $(RACE_PKGS) || failed=1; \
	$(RACE) -skip '$(CRASHES)' ./fstest/engine || failed=1; \
	$(GO_TEST) -run '$(SLOW)' ./sync/... || failed=1; \
	$(GO_TEST) $(PLAIN_PKGS) || failed=1; \
	exit $$failed

.PHONY: race
race: ## Run only the tests that use the race detector.
	$(RACE) -skip '$(SLOW)' $(RACE_PKGS)
	$(RACE) -skip '$(CRASHES)' ./fstest/engine

.PHONY: prepare
prepare: ## Install what the tests need and is missing.
	@scripts/prepare.sh

.PHONY: vet
vet: ## Run go vet.
	go vet $(TAGS) ./...

.PHONY: lint
lint: ## Run golangci-lint; the import laws are among its rules.
	$(TOOL) golangci-lint run ./...

.PHONY: fmtcheck
fmtcheck: ## Fail when gofmt would change a file.
	@out=$$(gofmt -l .); test -z "$$out" || { echo "run make fmt:"; echo "$$out"; exit 1; }

.PHONY: fmt
fmt: ## Format all Go files.
	gofmt -w .

.PHONY: fuzz
fuzz: ## Fuzz every target for FUZZTIME each.
	@scripts/fuzz.sh each $(FUZZTIME)

.PHONY: nightly
nightly: ## Fuzz every decoder for ten minutes and more.
	@scripts/fuzz.sh each 10m

.PHONY: fuzzshort
fuzzshort: ## Fuzz all targets for 30 s together.
	@scripts/fuzz.sh total 30

.PHONY: bench
bench: ## Run the benchmarks matching BENCH in BENCHPKG.
	go test $(TAGS) -run '^$$' -bench '$(BENCH)' -benchmem $(BENCHPKG)

.PHONY: benchcmp
benchcmp: ## Compare the benchmarks with those of the git ref REF.
	@scripts/benchcmp.sh '$(REF)' '$(BENCH)' $(BENCHPKG)

.PHONY: cover
cover: build ## Write the coverage of sync and backend to bin/cover.html.
	go test $(TAGS) -coverpkg=./sync/...,./backend/... -coverprofile=bin/cover.out ./...
	go tool cover -html=bin/cover.out -o bin/cover.html
	go tool cover -func=bin/cover.out | tail -n 1

.PHONY: demo
demo: build ## Back up and restore a sample database, step by step.
	go run $(TAGS) ./fstest/demo

.PHONY: clean
clean: ## Remove what the build wrote.
	rm -rf bin

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
