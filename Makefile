# Every command of the project. Hooks, CI and the README call these and nothing else.
# PYTHON=python3.12 chooses the interpreter, EXIT=1 lets the demo end by itself, MODEL=demand lets it
# play another example, MLOPS_HOME moves the state of the stack away from .mlops.

MLOPS_HOME ?= .mlops
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Without bytecode every Airflow process would compile all it imports, at every start.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME
export MLOPS_HOME

# A file is one process's, and the long ones begin: tests/conftest.py says which.
BY_FILE := --dist=loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup demo test coverage test-long mutate check fix up down bench docs clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## create .venv with every pinned package (the others do this by themselves)

demo: $(STAMP) ## run the whole loop on real flights, then keep the UI up (EXIT=1: stop; MODEL=demand: another)
	@$(BIN)/python -m demo $(if $(filter-out 0,$(EXIT)),--exit) $(if $(MODEL),--model $(MODEL))

test: check ## static checks, then every test
	@$(BIN)/python -m pytest -n logical --maxprocesses=8 $(BY_FILE) --ignore=tests/system $(COVER)
	@# Two at a time: these boot whole stacks and servers, and mostly wait for them.
	@$(BIN)/python -m pytest -n 2 $(BY_FILE) tests/system $(if $(COVER),$(COVER) --cov-append)

# Not with every test: following each line, in every process, makes them half as fast again.
coverage: $(STAMP) ## every test, and which lines none of them reached
	@$(MAKE) --no-print-directory test COVER='--cov --cov-report='
	@$(BIN)/coverage report

test-long: $(STAMP) ## tests that take minutes: 200 kills, 10 million values, ten nights, two lives, a bare Airflow
	@MLOPS_KILLS=200 MLOPS_SKETCH_VALUES=10000000 $(BIN)/python -m pytest -s --durations=5 \
	  tests/unit/lake/test_faults.py tests/unit/profiles/test_quantiles.py
	@MLOPS_LONG_LOOPS=1 $(BIN)/python -m pytest tests/unit/test_grain_loops.py
	@MLOPS_FAULTS=1 $(BIN)/python -m pytest -n logical tests/unit/faults
	@MLOPS_CHAOS_NIGHTS=10 $(BIN)/python -m pytest -s tests/system/test_chaos.py
	@MLOPS_LONG_SYSTEM=1 $(BIN)/python -m pytest tests/system/test_project_by_hand.py \
	  tests/system/test_authoring_benchmark.py
	@MLOPS_INCIDENTS_ON_A_STACK=1 $(BIN)/python -m pytest tests/system/test_incidents.py
	@MLOPS_BARE_AIRFLOW=1 $(BIN)/python -m pytest tests/system/test_bare_airflow.py \
	  tests/system/test_generated_ci.py
	@MLOPS_STORY=1 $(BIN)/python -m pytest -s --durations=5 tests/system/test_story.py

mutate: $(STAMP) ## change the code that decides; does a test notice? (MODULE=policy: only that)
	@$(BIN)/python -m tests.mutation $(MODULE)

check: $(STAMP) ## static checks only: lint, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fix: $(STAMP) ## repair what lint and format can repair
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

up: $(STAMP) ## start Airflow and MLflow alone, until Ctrl-C
	@$(BIN)/mlops up

down: $(STAMP) ## end every process of the stack, orphans included
	@$(BIN)/mlops down

bench: $(STAMP) ## measure every figure the project claims
	@set -e; for file in benchmarks/[a-z]*.py; do $(BIN)/python "$$file"; done

docs: $(STAMP) ## check the documentation: links, examples, names
	@$(BIN)/python -m pytest tests/docs -q

clean: ## end the stack, remove caches, build output and all state below MLOPS_HOME
	@if [ -x $(BIN)/mlops ]; then $(BIN)/mlops down; fi
	@if [ -f "$(MLOPS_HOME)/stack.lock" ]; then rm -rf "$(MLOPS_HOME)"; fi
	@rm -rf build dist htmlcov .coverage .coverage.* .hypothesis \
	  .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .mutation
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(STAMP): constraints.txt pyproject.toml
	@python=; for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11); do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$candidate; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "No Python 3.11 or newer: $(or $(PYTHON),python3, python3.13, python3.12 and python3.11) tried." >&2; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; fi; \
	echo "Installing into $(VENV) with $$($$python --version)"; \
	$$python -m venv $(VENV) || { \
	  echo "Python cannot make virtual environments: install its venv package (Debian: python3-venv)" >&2; \
	  exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'
	@# uv does not read pip's configuration: hand over the index and the certificates set there.
	@config=$$($(BIN)/python -m pip config list 2>/dev/null) || config=; \
	index=$$(printf '%s\n' "$$config" | sed -n "s/^global.index-url='\(.*\)'$$/\1/p"); \
	certs=$$(printf '%s\n' "$$config" | sed -n "s/^global.cert='\(.*\)'$$/\1/p"); \
	if [ -n "$$index" ] && [ -z "$$UV_DEFAULT_INDEX" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
	if [ -n "$$certs" ] && [ -z "$$SSL_CERT_FILE" ]; then export SSL_CERT_FILE="$$certs"; fi; \
	uv="$(BIN)/uv pip install --python $(BIN)/python"; \
	$$uv --compile-bytecode -c constraints.txt -e '.[dev]'
	@touch $@
