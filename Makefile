# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
# How the package is installed: editable for those who work on it; CI says `EDITABLE=` and tests the built wheel.
EDITABLE ?= -e
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test check bench fuzz clean

demo: $(VENV)/.base
	$(BIN)/dnn-topology demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses logical

check: $(VENV)/.dev
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/mypy

# Not part of the tests: about half an hour on a quiet machine, resumed where it stopped.
bench: $(VENV)/.dev
	$(PIP) install --quiet --constraint constraints.txt $(EDITABLE) '.[bench]'
	$(BIN)/python benchmarks/engines.py

# Not part of the tests: damages files of every format, COUNT times each.
COUNT ?= 5000
SEED ?= 1
fuzz: $(VENV)/.dev
	$(BIN)/python benchmarks/fuzz.py $(COUNT) $(SEED)

clean:
	rm -rf $(VENV) demo_results

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt $(EDITABLE) .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt $(EDITABLE) '.[dev]'
	touch $@ $(VENV)/.base
