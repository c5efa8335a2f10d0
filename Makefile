# Everything a developer does. `make help` lists the targets.

PYTHON ?= python3
VENV   ?= .venv
PIP    := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet
PYTEST := $(VENV)/bin/python -m pytest
LOAD   := $(VENV)/bin/python -m benchmarks.load
CONFIG ?= config.example.json
TESTS  ?= tests
ARGS   ?=
FUZZ_SECONDS ?= 60
REQUESTS ?= 10000000

# What a compiled build depends on: the list COMPILED in setup.py, and the types beside it.
SOURCES := setup.py $(shell sed -n 's/^    "\(kairos.*\)",$$/\1/p' setup.py) $(shell find kairos -name '*.pxd')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-compiled test-pure fuzz lint deps bench bench-load soak soak-streams build clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/built  ## Build, install into .venv and start the gateway with the example config and demo backends
	$(VENV)/bin/kairos run --config $(CONFIG) $(if $(filter config.example.json,$(CONFIG)),--demo) $(ARGS)

test: $(VENV)/test build  ## Run the tests compiled and in pure Python, side by side (TESTS=tests/config ARGS="-k routing" select)
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target --keep-going test-compiled test-pure

test-compiled: $(VENV)/test build  ## Run the tests compiled
	KAIROS_REQUIRE_SPEEDUPS=1 $(PYTEST) $(TESTS) $(ARGS)

test-pure: $(VENV)/test  ## Run the tests in pure Python
	KAIROS_PURE_PYTHON=1 $(PYTEST) $(TESTS) $(ARGS)

bench: $(VENV)/test build  ## Run the benchmarks, then bench-load; with ARGS="-k routing" and the like only the former
	KAIROS_REQUIRE_SPEEDUPS=1 $(PYTEST) benchmarks --benchmark-only $(ARGS)
	$(if $(ARGS),,$(LOAD) compare)

bench-load: $(VENV)/test build  ## Compare with nginx and HAProxy under load (ARGS="--rounds 5 --seconds 4")
	$(LOAD) compare $(ARGS)

soak: $(VENV)/test build  ## Load the gateway for long and look whether its memory grows (REQUESTS=1000000)
	$(LOAD) soak --requests $(REQUESTS) $(ARGS)

soak-streams: $(VENV)/test build  ## Let 1,000 WebSockets and 200 event streams live through 100 reloads, and end
	KAIROS_SOAK=1 $(PYTEST) tests/e2e/test_streams_survive.py $(ARGS)

fuzz: $(VENV)/test $(VENV)/fuzz  ## Send the gateway what nobody has thought of (FUZZ_SECONDS=60 for each of two harnesses)
	$(foreach harness,head framing,KAIROS_PURE_PYTHON=1 $(VENV)/bin/python -m tests.conformance.fuzz_$(harness) \
		-max_total_time=$(FUZZ_SECONDS) $(ARGS) &&) true

lint: $(VENV)/lint  ## Check style (ruff), types (mypy) and Cython sources (cython-lint)
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	PATH="$(abspath $(VENV))/bin:$$PATH" cython-lint kairos

build: $(VENV)/installed  ## Compile the native core in place; an error if that fails
	KAIROS_REQUIRE_SPEEDUPS=1 $(VENV)/bin/python setup.py --quiet build_ext --inplace

deps:  ## Install the Debian packages of tests/apt.txt (needs root)
	@packages=$$(sed 's/#.*//' tests/apt.txt); \
	dpkg --status $$packages > /dev/null 2>&1 && { echo "all packages of tests/apt.txt are installed"; exit 0; }; \
	[ "$$(id -u)" = 0 ] || { echo "make deps needs root, because it calls apt-get: sudo make deps" >&2; exit 1; }; \
	apt-get update --quiet=2 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends $$packages

clean:  ## Remove what was built, and .venv
	rm -rf $(VENV) build dist kairos.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find kairos tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
	find kairos \( -name '*.so' -o -name '*.c' -o -name why_pure.txt \) -delete

# Stamp files: each says that a step is done and still valid.

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Kairos needs Python 3.11 or newer; '$(PYTHON)' is not. Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	{ rm -rf $(VENV); echo "No virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --upgrade pip setuptools Cython
	KAIROS_PURE_PYTHON=1 PYTHONWARNINGS=ignore $(PIP) install --no-build-isolation --editable .
	@touch $@

# No stamp after a fallback to pure Python: the next call tries again.
$(VENV)/built: $(SOURCES) $(VENV)/installed
	$(VENV)/bin/python setup.py --quiet build_ext --inplace
	@$(VENV)/bin/kairos version
	@! $(VENV)/bin/kairos version | grep --quiet '(compiled' || touch $@

$(VENV)/test $(VENV)/fuzz $(VENV)/lint: $(VENV)/%: $(VENV)/installed
	$(PIP) install --group $*
	@touch $@
