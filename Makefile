# Needs nothing but make and Python 3.11+; `make PYTHON=python3.12 test` takes another Python.
PYTHON := python3
BIN := .venv/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The stamps say for which Python .venv was made and what is installed in it.
VENV := .venv/.made-by-$(notdir $(PYTHON))
RUN := .venv/.installed
DEV := .venv/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format clean

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 16

demo: $(RUN) ## quantize a shipped model, from install to summary
	$(BIN)/qcompile demo

test: $(DEV) ## run the tests, in parallel
	$(BIN)/python -m pytest -q -n auto

test-all: $(DEV) ## run the tests and the exhaustive ones
	$(BIN)/python -m pytest -q -n auto -m ""

check: $(DEV) ## lint, format and types, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV) ## format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## remove .venv, caches and builds
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

$(VENV):
	$(PYTHON) -m venv --clear .venv
	touch $@

$(RUN): pyproject.toml $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(DEV): pyproject.toml $(VENV)
	$(PIP_INSTALL) --editable ".[dev]"
	touch $(RUN) $@
