# `make help` lists what there is. The two that matter: `make demo` and `make test`.
VENV   := .venv
BIN    := $(VENV)/bin
PYTHON ?= python3
STAMP  := $(VENV)/.installed
CODE   := cytoreg tests benchmarks

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench fuzz coverage calibrate claims placement difficulty judge example files docs clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(STAMP)  ## make the virtual environment and install everything, pinned

$(STAMP): pyproject.toml constraints.txt hatch_build.py cytoreg/gating/kernel/kernel.c
	@echo "setting up $(VENV) (a minute or two, once)"
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || { echo "the pinned versions need Python 3.11 or 3.12; say which with make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -q cytoreg
	@touch $@

demo: setup  ## simulate a small trial, run all of it, print where the report is
	$(BIN)/cytoreg demo cytoreg-demo

test: setup lint  ## lint, types, tests and doctests
	$(BIN)/python -m pytest -n 2

lint: setup  ## ruff and mypy
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy

format: setup  ## let ruff mend what it can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

bench: setup  ## time reading, gating and start-up beside FlowKit and others (some minutes; keeps the figures)
	$(BIN)/python -m benchmarks

fuzz: setup  ## damage FCS files in N=20000 ways and judge the reader (some minutes); REPLAY="FILE SEED" for one again
	PYTHONPATH=tests/fcs $(BIN)/python -m fuzzing $(if $(REPLAY),--replay $(REPLAY),-n $(or $(N),20000))

coverage: setup  ## over 200 seeds: how often the 95 % intervals hold the planted values (about half an hour)
	$(BIN)/python -m benchmarks.coverage

calibrate: setup  ## over thousands of simulated trials: how often tests err and intervals hold; goes on where it stopped (MINUTES=30, ONLY="change arms")
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.calibrate $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only $(ONLY))

claims: setup  ## the abstract claim by claim, from FCS files and over many trials (some minutes; SEEDS=200)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.claims files --subjects 60 --events 8000
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.claims tables --seeds $(or $(SEEDS),200)

difficulty: setup  ## gate cells of known membership from easy to hard with every method; writes the page (some minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.difficulty

placement: setup  ## how often the interval of one sample's percentage holds the truth, over a grid (some minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.placement_coverage

judge: setup  ## run R beside the figures that the tests of the statistics hold (installs R by apt-get where it is missing)
	$(BIN)/python -m benchmarks.judge $(ONLY)

example: setup  ## make example_fcs/ again, the same bytes
	$(BIN)/python -m benchmarks.example

files: setup  ## read all of ../shared/real again and write the table of docs/explanation/real_files.md
	$(BIN)/python -m benchmarks.real_files

docs: setup  ## build the documentation site in site/
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

clean:  ## remove what make made
	rm -rf $(VENV) cytoreg-demo build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
