# Each check is defined here, once: people, pre-commit and .ci/run all call these targets.
SHELL := /bin/sh
BIN := .venv/bin
PY := $(BIN)/python

# Narrow a run: make test PYTEST="-k promote -x"; in one process: make test PYTEST="-n 0"
PYTEST ?=
# A test process for each core; one that runs out of tests takes over half of another's.
SPREAD := -n logical --dist worksteal
BENCH ?=
SCRIPTS := scripts/setup scripts/lock .ci/run

.DEFAULT_GOAL := help
.PHONY: help setup demo fmt lint types arch test check pages-test data-test servers-test campaign bench docs generated lock clean

help: ## print these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## make .venv from the locked requirements (python3 of 3.11 or newer, and pip, are enough)
	@scripts/setup

$(PY):
	@scripts/setup

demo: $(PY) ## see a whole migration on this machine: repoint demo
	$(BIN)/repoint demo

fmt: $(PY) ## put the code in its one form
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lint: $(PY) ## ruff, its format, no stray marker of open work, shell syntax
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@! grep -rnwE 'TODO|FIXME|XXX|HACK' src tests scripts bench docs --include='*.py' --include='*.md' 2>/dev/null \
		|| { echo 'lint: open work belongs in the tracker, not in the tree' >&2; exit 1; }
	@for script in $(SCRIPTS); do bash -n $$script || exit 1; done

types: $(PY) ## mypy, strict
	$(BIN)/mypy

arch: $(PY) ## the import contracts, and no dead code
	PYTHONPATH=src $(BIN)/lint-imports --no-cache
	$(PY) scripts/dead_code.py

test: $(PY) ## every test that needs no server, judged data or long time (at most ten minutes)
	$(PY) -m pytest $(SPREAD) -m "not campaign and not data and not pages" $(PYTEST)

check: lint types arch ## what every commit must pass: lint, types, arch and the quick tests
	$(PY) -m pytest $(SPREAD) -m "not campaign and not data and not pages and not slow and not models" $(PYTEST)

pages-test: $(PY) ## do what the pages of the documentation tell to do, and compare what is seen
	$(PY) -m pytest $(SPREAD) tests/docs -m pages $(PYTEST)

data-test: $(PY) ## the tests on judged data sets (REPOINT_DATA says where they are)
	$(PY) -m pytest -m "data and not campaign" --timeout 900 $(PYTEST)

servers-test: $(PY) ## the tests on engines of other packages, which this installs and starts here
	$(BIN)/uv pip install --python $(PY) --quiet --require-hashes -r requirements/engines.txt
	$(PY) -m pytest tests/servers -m engine --timeout 900 $(PYTEST)

campaign: $(PY) ## the long searches for a broken invariant (REPOINT_CAMPAIGN_SECONDS bounds each)
	REPOINT_HYPOTHESIS=nightly $(PY) -m pytest -m campaign --timeout 1800 $(PYTEST)

bench: $(PY) ## measure, and write samples and machine as JSON: make bench BENCH=--smoke
	$(PY) -m bench $(BENCH)

docs: $(PY) ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

generated: $(PY) ## write the generated reference again; fails when it was not current
	$(PY) scripts/generate_reference.py

lock: $(PY) ## resolve requirements/*.txt again (UPGRADE=1 takes the newest versions)
	@UPGRADE=$(UPGRADE) scripts/lock

clean: ## remove the environment, caches and everything built
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		build dist site demo-report bench/results
	find src tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
