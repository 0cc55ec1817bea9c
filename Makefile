# Every target does its own set-up: what is fetched is kept in a cache outside
# the checkout and found there within milliseconds the next time.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The race detector needs cgo, which Go turns off where it finds no C compiler.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)
LINT := go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 10s

.PHONY: help
help: ## Show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-19s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## Start everything on PORT (3001); DEMO=1 adds a scripted model, so no key is needed
	@go build -o bin/stack ./e2e/stack/run
	@exec bin/stack

.PHONY: test
test: setup ## Run every test, also those against the real upstream and a real browser
	go test $(RACE) -count=1 -timeout=25m ./...

.PHONY: check
check: format vet lint layers test ## Check format, vet, lint, layers and run every test

.PHONY: build
build: ## Build the product into bin/
	go build -trimpath -o bin/openhands-saas ./cmd/openhands-saas

.PHONY: e2e
e2e: setup ## Run the end-to-end tests alone; screenshots go to e2e/artifacts
	go test $(RACE) -count=1 -timeout=25m -v ./e2e/

.PHONY: smoke
smoke: build ## Walk a running server as its users would (URL=http://127.0.0.1:3001)
	bin/openhands-saas smoke --url $(or $(URL),http://127.0.0.1:3001)

.PHONY: setup
setup: ## Fetch what run and test need
	@go run ./e2e/stack/run setup -tests

.PHONY: format
format:
	@unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...) | sort -u); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):"; echo "$$unformatted"; exit 1; fi

.PHONY: vet
vet:
	go vet ./...

.PHONY: lint
lint: ## Lint (the first time the linter is compiled, which takes minutes)
	$(LINT) run ./...

.PHONY: layers
layers: ## Check that no import climbs the ladder of packages
	go test -count=1 ./internal/layers

.PHONY: upstream-operations
upstream-operations: ## List the operations of the upstream anew (UPSTREAM=http://… for one that runs)
	go run ./e2e/stack/operations $(if $(UPSTREAM),-url $(UPSTREAM))

.PHONY: routes-doc
routes-doc: ## Write docs/upstream-routes.md anew from the table
	go test -count=1 -run '^TestTheTableInTheDocumentationIsCurrent$$' ./cmd/openhands-saas -update

.PHONY: fuzz-short
fuzz-short: ## Fuzz every fuzz target for FUZZTIME (10s), but for that of e2e, where each worker starts a world
	@for package in $$(go list ./... | grep -v '/e2e$$'); do \
	  for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
	    echo "$$package $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
	  done; \
	done

.PHONY: bench
bench: ## Measure what a request, a page of a list and an idle WebSocket cost
	go test -run '^$$' -bench . -benchtime 5s ./bench ./proxy

.PHONY: clean
clean: ## Remove what was built (data/ and the cache stay)
	rm -rf bin e2e/artifacts
