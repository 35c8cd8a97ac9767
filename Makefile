# One line each: a target calls an npm script or a hack/ program, and so does CI.
.DEFAULT_GOAL := help
SHELL := /bin/bash
ARGS ?=

.PHONY: help
help: ## Show what make can do here
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

node_modules/.package-lock.json: package-lock.json
	npm ci
	@touch $@

.PHONY: demo
demo: node_modules/.package-lock.json ## Two clusters, a tunnel each, kubectl through them (ARGS="--check": unattended, ARGS="--keep": leave it running)
	@npm run --silent demo -- $(ARGS)

.PHONY: test
test: node_modules/.package-lock.json ## Unit and integration tests; the last line has the counts
	@npm run --silent test -- $(ARGS)

.PHONY: test-unit
test-unit: node_modules/.package-lock.json ## Unit tests only: no control plane, seconds
	@npm run --silent test -- --unit $(ARGS)

.PHONY: fuzz
fuzz: node_modules/.package-lock.json ## Strange messages for the tunnel (ARGS="--runs 10000000 --seed 7"), or cancelled streams (ARGS="--streams 100000")
	@npm run --silent fuzz -- $(ARGS)

.PHONY: load
load: node_modules/.package-lock.json ## load scenarios, judged by behaviour (ARGS=high-volume: one of them)
	@npm run --silent load -- $(or $(ARGS),all)

.PHONY: faults
faults: node_modules/.package-lock.json ## 1,000 sessions cut and 50 processes killed under load; no write may run twice (ARGS="--seed 7": the same again)
	@npm run --silent faults -- $(ARGS)

.PHONY: e2e
e2e: node_modules/.package-lock.json ## kubectl exec, attach, port-forward, cp on real nodes (root on Linux; ARGS="--json": counts as JSON)
	@npm run --silent e2e -- $(ARGS)

.PHONY: lab-binaries
lab-binaries: node_modules/.package-lock.json ## Find, download or build etcd, kube-apiserver, kubectl and friends
	@npm run --silent lab -- binaries

.PHONY: lab-up
lab-up: node_modules/.package-lock.json ## Start a hub and two targets with the operator installed, and leave them running
	@npm run --silent lab -- up --targets 2

.PHONY: lab-down
lab-down: node_modules/.package-lock.json ## Stop the lab and remove its files
	@npm run --silent lab -- down

.PHONY: build
build: node_modules/.package-lock.json ## Compile to dist/
	npm run --silent build

.PHONY: generate
generate: node_modules/.package-lock.json ## Write the CRD manifest from crds/schema.ts
	npm run --silent generate

.PHONY: fmt
fmt: node_modules/.package-lock.json ## Format and fix what can be fixed
	npm run --silent fmt

.PHONY: lint
lint: node_modules/.package-lock.json ## Lint, types, dead code
	npm run --silent lint && npm run --silent types && npm run --silent dead

.PHONY: verify
verify: lint ## Lint, and fail when generated files are out of date
	npm run --silent generate && git diff --exit-code -- config/crd

.PHONY: coverage
coverage: node_modules/.package-lock.json ## Unit tests with a coverage report in coverage/
	npx c8 --reporter=text-summary --reporter=html npx mocha

.PHONY: presubmit
presubmit: verify test ## What CI runs

.PHONY: clean
clean: ## Remove what was built
	rm -rf dist coverage
