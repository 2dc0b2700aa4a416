# What a person or a CI job types. Every target makes what it needs by itself: the environment in .venv from the locked
# requirements, and for the tests Debian's Chromium and PostgreSQL where they are missing.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run demo test lint format docs bench lock programs clean

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check

# The first Python on the PATH that is new enough; PYTHON=… names another one.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)

# Browser tests wait for real time to pass, so a few more processes than cores keep both busy.
TEST_PROCESSES ?= 3
PYTEST := $(BIN)/python -m pytest

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: $(VENV)/.app ## start Slipway: web server and worker, on http://127.0.0.1:8000 (SLIPWAY_BIND)
	@exec $(BIN)/slipway serve

demo: $(VENV)/.dev ## start Slipway on scratch data, with real Terraform runs to watch
	@exec $(BIN)/slipway demo

test: lint programs ## everything that has to hold: lint, types, all tests on SQLite and PostgreSQL, browser tests
	$(PYTEST) -n $(TEST_PROCESSES) --dist worksteal

lint: $(VENV)/.dev ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .

format: $(VENV)/.dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## measure Slipway's polls and pages beside a bare hello-world
	@bash tests/programs.sh wrk
	$(BIN)/python -m bench

# With LOCK_FLAGS=--upgrade all versions move to the newest that pyproject.toml allows.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(LOCK_FLAGS)
lock: $(BIN)/python ## write both requirements files anew from pyproject.toml
	$(INSTALL) 'pip-tools>=7.6'
	$(COMPILE) --build-deps-for editable -o requirements.txt pyproject.toml
	$(COMPILE) --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml
	sed -i -e '1{/^# Made by/d}' requirements.txt requirements-dev.txt
	sed -i -e '1i # Made by `make lock` from pyproject.toml; not written by hand.' requirements.txt requirements-dev.txt

docs: $(VENV)/.dev ## write the tables of docs/ anew from the code
	$(BIN)/python -m tests.docs.tables

programs: ## install Chromium and PostgreSQL for the tests, where they are missing
	@bash tests/programs.sh chromium postgresql

clean: ## remove the environment and what tools keep; the data in var/ stays
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The stamps are files in the environment: it is installed again exactly when a lock or pyproject.toml is newer.
$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Slipway needs Python 3.11 or newer, and there is none on the PATH." \
			"Install it (Debian 12: apt-get install python3 python3-venv) or name one: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "$(PYTHON) cannot make an environment. On Debian: apt-get install python3-venv" >&2; exit 1; }

# setuptools is in the lock, so that installing the project itself asks no index for anything.
$(VENV)/.app: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing the locked requirements into $(VENV) …"
	@$(INSTALL) --require-hashes -r requirements.txt
	@$(INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.app
	@echo "Installing what tests, demo and bench need beside the app …"
	@$(INSTALL) --require-hashes -r requirements-dev.txt
	@touch $@
