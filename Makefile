# One command per job; each installs what it needs, once. Override: make VENV=/somewhere PYTHON=python3.12 test
VENV ?= .venv
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11; do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$candidate" && break; done)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# One process more than cores: tests also wait, for browsers, servers and processes they have killed.
JOBS ?= $(shell echo $$(($$(env -u OMP_NUM_THREADS nproc 2>/dev/null || echo 2) + 1)))
# Bytecode is kept, whatever the surroundings say: tests start many processes, and each would compile the package again.
TESTS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(VENV)/bin/python

.PHONY: help quickstart test coverage flakes check audit format bench docs packages clean

help:
	@echo "make quickstart   install into $(VENV), train a small network, say where its picture is"
	@echo "make test         install the development tools and run every test"
	@echo "make coverage     the tests again, and which branches they leave out"
	@echo "make flakes       the tests ten times, and which fail now and then"
	@echo "make check        lint, formatting, types, layers"
	@echo "make audit        which of the versions in constraints.txt have known weaknesses; asks pypi.org"
	@echo "make format       format the source"
	@echo "make bench        the measurements of docs/results.md"
	@echo "make docs         the documentation as pages, into build/docs"
	@echo "make packages     wheel and sdist into dist/, tried outside this folder"
	@echo "make clean        remove what these commands made; runs/ stays"

quickstart: $(VENV)/.installed
	@$(VENV)/bin/windtunnel train quickstart

test: $(VENV)/.developer
	@$(TESTS) -m pytest -q -n $(JOBS) --dist worksteal $(PYTEST)

# Processes that a test starts are counted too. Slower than `make test`, since every line is.
coverage: $(VENV)/.developer
	@$(VENV)/bin/python -m coverage erase
	@$(TESTS) -m coverage run -m pytest -q -n $(JOBS) --dist worksteal $(PYTEST)
	@$(VENV)/bin/python -m coverage combine --quiet
	@$(VENV)/bin/python -m coverage report

# The suite ten times, and which tests fail now and then.
flakes: $(VENV)/.developer
	@$(VENV)/bin/python benchmarks/_flakes.py --jobs $(JOBS) -- $(PYTEST)

check: $(VENV)/.developer
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --quiet --check .
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo --no-cache >$(VENV)/layers.log 2>&1 || { cat $(VENV)/layers.log; exit 1; }

# Strict: a version that the database does not know counts as a failure, not as safe. The tool has an environment of its
# own, so that what it needs itself is not among the packages of windtunnel.
audit: $(VENV)/audit/bin/pip-audit
	@$(VENV)/audit/bin/pip-audit --strict --no-deps --disable-pip --progress-spinner off -r constraints.txt

format: $(VENV)/.developer
	@$(VENV)/bin/ruff check --quiet --fix .
	@$(VENV)/bin/ruff format --quiet .

bench: $(VENV)/.developer
	@$(VENV)/bin/python benchmarks/run_all.py

docs: $(VENV)/.docs
	@$(VENV)/bin/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "build/docs/index.html"

packages: $(VENV)/.installed
	@$(PIP) install --quiet -c constraints.txt hatchling
	@rm -rf dist
	@$(VENV)/bin/python -m hatchling build -d dist
	@$(VENV)/bin/python tests/packaging/install_matrix.py --wheel dist/*.whl core

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage*
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "windtunnel needs Python 3.11 or later on PATH (or make PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing windtunnel into $(VENV) (once; PyTorch is large)"
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/audit/bin/pip-audit: | $(VENV)/bin/python
	@$(VENV)/bin/python -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip --disable-pip-version-check install --quiet pip-audit==2.10.1

$(VENV)/.docs: $(VENV)/.installed
	@echo "installing what builds the documentation into $(VENV) (once)"
	@$(PIP) install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

# torchvision, timm and pytorchcv are only compared with. They ask for one torch, so they come without dependencies.
$(VENV)/.developer: $(VENV)/.installed
	@echo "installing the development tools into $(VENV) (once)"
	@$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@$(PIP) install --quiet --no-deps -c constraints.txt torchvision timm pytorchcv || \
		echo "not all of torchvision, timm and pytorchcv: the tests that compare with them are skipped"
	@touch $@
