# `make` alone says what there is. Everything lives in .venv; nothing outside this folder is touched but what
# `kitchen` itself keeps (see README, "Where things are").

PYTHON ?= $(shell for p in python3.11 python3 python3.14 python3.13 python3.12; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
DIR ?= demo
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults bench lint types arch check clean lock

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(READY) ## a virtual environment with everything, from the lock

demo: $(READY) ## set up and run the tour in DIR (demo, unless told)
	$(BIN)/kitchen demo $(DIR)

test: $(READY) ## set up and pass the tests (KITCHEN_REQUIRE=postgres15,sshd: fail where it would skip)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --ignore tests/benchmarks tests

faults: $(READY) ## every crash, race and outage instead of a part of them (many minutes)
	KITCHEN_FAULTS=all $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --durations=20 tests/faults

bench: $(READY) ## measure the budgets of the design
	$(BIN)/python -m pytest tests/benchmarks -s

lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

arch: $(READY) ## import-linter: the arrows
	$(BIN)/lint-imports

check: lint types arch test ## all of it

clean: ## remove the virtual environment and caches (kitchen down first, if a demo runs)
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

lock: ## write requirements.lock anew (needs uv on the path)
	uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links \
		pyproject.toml --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "kitchen needs Python 3.11 or newer: apt install python3 python3-venv" >&2; exit 1; }
	@command -v git >/dev/null || { echo "kitchen needs git: apt install git" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "this Python cannot make virtual environments: apt install python3-venv" >&2; exit 1; }
	@echo "making $(VENV), and installing what requirements.lock names: a minute or two, without a word from pip" >&2
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)
