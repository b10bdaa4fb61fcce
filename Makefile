# SPDX-License-Identifier: Apache-2.0
# `make help` lists what there is to run. Everything lives in $(VENV), which is made on demand.

PYTHON ?= python3
VENV ?= .venv
DRIVER ?= mock
# Processes that run side by side.
JOBS ?= 2
# Processes that run tests side by side: one more, because many tests wait for processes of their own.
TEST_JOBS ?= 3
# Show the ten slowest tests, unless none of them took long.
PYTEST := -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=1
# How many seeds the simulation runs.
SEEDS ?= 1000
# How long the chaos suite does harm.
SECONDS ?= 180
# More arguments for pytest, as in `make test ARGS="engine/tests -k quota"`.
ARGS ?=

# Tests and the platform start hundreds of Python processes, and none of them shall compile the same sources again.
unexport PYTHONDONTWRITEBYTECODE

BIN := $(VENV)/bin
METADATA := $(wildcard */setup.cfg */*/setup.cfg) constraints.txt
RUNTIME := $(VENV)/.installed
DEVELOPMENT := $(VENV)/.installed-dev
LIBVIRT := $(VENV)/.installed-libvirt

.DEFAULT_GOAL := help
.PHONY: help demo up down test test-long coverage check lint format types imports dead isolated docs docs-check messages bench bench-agents bench-reconcile simulate chaos test-chaos test-contrib test-libvirt dev changelog clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUNTIME) $(if $(filter libvirt,$(DRIVER)),$(LIBVIRT)) ## Start the platform and create a virtual machine on it (DRIVER=mock or libvirt)
	@$(BIN)/python -m stratoplane_server.demo --driver $(DRIVER)

up: $(RUNTIME) ## Start the platform in the background
	@$(BIN)/stratoplane-server up --detach

down: $(RUNTIME) ## Stop the platform; its data stays
	@$(BIN)/stratoplane-server down

test: $(DEVELOPMENT) ## Run the tests on a real PostgreSQL and Valkey
	@$(BIN)/python -m pytest $(PYTEST) $(ARGS)

test-long: $(DEVELOPMENT) ## Run the tests that take minutes, and every property test on many more random examples
	@$(BIN)/python -m pytest $(PYTEST) -m 'long or hypothesis' --hypothesis-profile=thorough $(ARGS)

coverage: $(DEVELOPMENT) ## Run the tests and show what they do not reach
	@$(BIN)/coverage run -m pytest $(PYTEST) $(ARGS)
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

check: lint types imports dead docs-check isolated ## Run every check except the tests

lint: $(DEVELOPMENT) ## Check style and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(DEVELOPMENT) ## Fix style and format automatically
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format --quiet .

types: $(DEVELOPMENT) ## Check types of sources and tests with mypy --strict
	@$(BIN)/mypy

imports: $(DEVELOPMENT) ## Check which distribution may import which
	@PYTHONPATH=drivers/libvirt/src $(BIN)/lint-imports

dead: $(DEVELOPMENT) ## Look for code that nothing uses, and for dependencies that are unused or not declared
	@$(BIN)/vulture --config vulture.toml
	@$(BIN)/vulture --config vulture.toml .
	@$(BIN)/python tools/check_dependencies.py

docs: $(DEVELOPMENT) ## Regenerate the pages of docs/reference
	@$(BIN)/python tools/generate_reference.py

docs-check: $(DEVELOPMENT) ## Check that the generated pages are up to date
	@$(BIN)/python tools/generate_reference.py --check

isolated: $(DEVELOPMENT) ## Install each distribution alone, import all of it, and run its quick tests
	@$(BIN)/tox run-parallel -q -p $(JOBS) --parallel-no-spinner -f isolated

messages: $(DEVELOPMENT) ## List every message that a user can get, from the code (ARGS="--kind error", ARGS=--count)
	@$(BIN)/python tools/list_messages.py $(ARGS)

bench: $(DEVELOPMENT) ## Measure rates and latencies, and print them as a table and as JSON
	@$(BIN)/python -m tests.bench.run $(ARGS)

simulate: $(DEVELOPMENT) ## Run the deterministic simulation (SEEDS=1000, or SEED= to see one seed's story)
	@$(BIN)/python -m tests.simulation.run $(if $(SEED),--seed $(SEED),--seeds $(SEEDS) --jobs $(JOBS))

bench-agents: $(DEVELOPMENT) ## Measure 5,000 simulated agents that poll, are woken and lose their API, and print JSON
	@$(BIN)/python -m tests.bench.agents $(ARGS)

bench-reconcile: $(DEVELOPMENT) ## Measure what comparing 100,000 resources costs the database, and print JSON
	@$(BIN)/python -m tests.bench.reconcile $(ARGS)

test-chaos: $(DEVELOPMENT) ## Die at every crash point once, and show that the chaos suite can fail
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests/chaos $(ARGS)

chaos: $(DEVELOPMENT) ## Kill, pause and cut off the real processes under load, and look for damage (SECONDS=180 SEED=1)
	@$(BIN)/python -m tests.chaos.run --seconds $(SECONDS) --seed $(or $(SEED),1)

test-contrib: $(DEVELOPMENT) ## Try the files of contrib/ with the programs they are for (Debian: haproxy pgbouncer systemd)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests/contrib $(ARGS)

test-libvirt: $(DEVELOPMENT) ## Run a virtual machine on a real libvirt (root, Debian, see tests/labs/libvirt)
	@tests/labs/libvirt/run.sh

dev: $(DEVELOPMENT) ## Create the virtual environment for development

changelog: $(DEVELOPMENT) ## Show what the next release's change notes say
	@$(BIN)/towncrier build --draft --version next

clean: ## Remove the virtual environment and what tools left behind (never the platform's data)
	rm -rf $(VENV) .tox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name '*.egg-info' -prune -exec rm -rf {} +

# A stamp is newer than all it was made from; pip runs again only when one of them changed.
$(RUNTIME): requirements.txt $(METADATA)
	@$(call install,requirements.txt)

$(DEVELOPMENT): requirements-dev.txt $(METADATA)
	@$(call install,requirements-dev.txt)
	@touch $(RUNTIME)

$(LIBVIRT): requirements-libvirt.txt $(METADATA)
	@$(call install,requirements-libvirt.txt)

define install
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "Stratoplane needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing). Try: make PYTHON=python3.12 ..." >&2; exit 1; }; \
$(PYTHON) tools/install.py --venv $(VENV) --stamp $@ $(1)
endef
