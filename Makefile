# These do all the set-up: `make demo`, `make test`, and `make docs` for the site.
PYTHON ?= python3
VENV ?= .venv
SOURCES := src tests docs examples noxfile.py
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: demo test check docs bench fuzz clean

demo: $(VENV)/.base
	$(BIN)/dnn-topology demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses logical

check: $(VENV)/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/codespell
	$(BIN)/mypy

# Without a network; a warning is an error. Open docs/_build/html/index.html.
docs: $(VENV)/.dev
	$(BIN)/python -m sphinx -b html -E -W --keep-going -q docs docs/_build/html
	@echo "the site is in docs/_build/html/index.html"

# Not part of the tests: about half an hour on a quiet machine, resumed where it stopped.
bench: $(VENV)/.dev
	$(PIP) install --quiet --constraint constraints.txt --group bench -e '.[all,giotto-ph]'
	$(BIN)/python benchmarks/engines.py

# Not part of the tests: damages files of every format, COUNT times each.
COUNT ?= 5000
SEED ?= 1
fuzz: $(VENV)/.dev
	$(BIN)/python benchmarks/fuzz.py $(COUNT) $(SEED)

clean:
	rm -rf $(VENV) demo_results docs/_build docs/generated docs/reference/api docs/reference/results

$(VENV)/.base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt 'pip>=25.1'  # the first that knows dependency groups
	$(PIP) install --quiet --constraint constraints.txt --group dev -e '.[all]'
	touch $@ $(VENV)/.base
