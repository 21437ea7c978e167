# Three commands matter: `make run` starts a demo exchange, `make test-quick` tests the rules in a minute, `make test`
# checks everything. A machine with git, make and Python 3.11 or newer is enough: the rest is installed into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
CLIENTS := tests/system/clients
BROWSER := tests/browser
BROWSER_INSTALLED := $(BROWSER)/node_modules/.installed
CLIENTS_INSTALLED := $(CLIENTS)/node_modules/.installed
VENDOR := deploy/vendor
SITE_MADE := $(VENDOR)/node_modules/.made
# Node.js of a pip package lies in .venv and comes first on the path.
WITH_NODE := PATH="$(CURDIR)/$(BIN):$$PATH"
PACKAGES := settlement indexer api clients
SOURCES := $(PACKAGES) alembic tests bench

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install dev clients site browser compiler containers promtool wheel-compiled run test test-quick bytecode check format bench lock clean distclean

help:
	@echo "make run             install, then start the demo exchange on http://127.0.0.1:8080"
	@echo "make test-quick      unit and property tests (few examples) and scenarios: no server, browser or lint; 1 minute"
	@echo "make test            make check, then every test: unit, property, scenarios, system, browser; half an hour"
	@echo "make check           lint, format, types and import contracts"
	@echo "make format          apply the formatter and the lint fixes"
	@echo "make bench           run the benchmarks"
	@echo "make wheel-compiled  build a wheel with compiled rules for this platform"
	@echo "make site            install the site's chart library and fonts"
	@echo "make install         create $(VENV) only"
	@echo "make lock            pin the dependencies again (UPGRADE=--upgrade takes newer versions)"
	@echo "make clean           remove caches and builds (distclean: $(VENV) too)"

install: $(INSTALLED)
	@:

dev: $(INSTALLED_DEV)
	@:

# A working .venv is kept. The lock pins the build backend too, so nothing outside the lock is downloaded.
$(INSTALLED): requirements.lock pyproject.toml
	@rm -f $(INSTALLED) $(INSTALLED_DEV)
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Peake DEX needs Python 3.11 or newer, and \`$(PYTHON)\` is not: $$($(PYTHON) --version 2>&1)." >&2; \
	    echo "Install one, or name it: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; exit 1; }; \
	  $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "\`$(PYTHON)\` lacks the venv module: install it (Debian and Ubuntu: apt install python3-venv)." >&2; \
	    exit 1; }; \
	  echo "creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing the dependencies"
	@$(PIP) install -r requirements.lock || { \
	  echo "The dependencies were not installed: they are downloaded from the package index, so a network is" >&2; \
	  echo "needed (a mirror: set PIP_INDEX_URL). Lines above name what failed; repeat \`make $(or $(MAKECMDGOALS),install)\`." >&2; \
	  exit 1; }
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED) requirements-dev.lock
	@echo "installing the development dependencies"
	@$(PIP) install -r requirements-dev.lock
	@touch $@

run: install site
	@exec $(BIN)/peakedex demo $(ARGS)

# The site's chart library and fonts, copied out of pinned npm packages.
site: $(SITE_MADE)
	@:

# Node.js of the machine, or of a pip package. npm is needed for the installation only.
NEED_NODE = $(WITH_NODE) sh -c 'npm --version && node -e "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"' \
  >/dev/null 2>&1 || { echo "installing Node.js"; $(PIP) install -r $(CLIENTS)/node.lock; }

$(SITE_MADE): $(INSTALLED) $(VENDOR)/package.json $(VENDOR)/package-lock.json $(VENDOR)/copy.py
	@$(NEED_NODE)
	@echo "installing the site's chart and fonts"
	@cd $(VENDOR) && $(WITH_NODE) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(BIN)/python $(VENDOR)/copy.py
	@touch $@

# The JavaScript clients that the tests trade with. Installation scripts of packages are off: nothing is compiled.
clients: $(CLIENTS_INSTALLED)
	@:

$(CLIENTS_INSTALLED): $(INSTALLED_DEV) $(CLIENTS)/package.json $(CLIENTS)/package-lock.json $(CLIENTS)/node.lock
	@$(NEED_NODE)
	@echo "installing the JavaScript clients that the tests trade with"
	@cd $(CLIENTS) && $(WITH_NODE) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Chromium: an installed one, or Playwright's, or Debian's; and axe-core, which runs inside the pages. Firefox and
# WebKitGTK where Debian's packages can be had.
browser: $(BROWSER_INSTALLED)
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m tests.browser.engines.install

$(BROWSER_INSTALLED): $(INSTALLED_DEV) $(BROWSER)/package.json $(BROWSER)/package-lock.json $(CLIENTS)/node.lock
	@$(NEED_NODE)
	@echo "installing the accessibility checker for the pages"
	@cd $(BROWSER) && $(WITH_NODE) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# A C compiler for the compiled rules: the machine's, or a pip package's.
compiler: dev
	@cc --version >/dev/null 2>&1 || gcc --version >/dev/null 2>&1 || clang --version >/dev/null 2>&1 \
	  || $(BIN)/python -m ziglang version >/dev/null 2>&1 || { \
	    echo "installing a C compiler"; $(PIP) install -r tests/system/compiled/compiler.lock; }

# buildah, mmdebstrap and systemd-container, with which the tests build the container images and boot a server, where
# Debian's packages can be had.
containers: dev
	@$(BIN)/python -m tests.system.containers.install

# promtool, with which the tests evaluate the alarms, where Debian's packages can be had.
promtool: dev
	@$(BIN)/python -m tests.unit.deploy.promtool

wheel-compiled: compiler site
	@HATCH_BUILD_HOOK_ENABLE_CUSTOM=true $(BIN)/python -m build --wheel --no-isolation

# Everything, in one process more than there are cores: many tests wait for blocks and for other processes
# (tests/support/workers.py). Workers begin far apart, with the longest tests, and take each other's tests at the end, so
# that tests that share an exchange run in one worker.
test: JOBS ?= auto
test: clients site browser compiler containers promtool
	@$(MAKE) --no-print-directory --jobs=2 check bytecode
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --hypothesis-profile=full $(ARGS)

# Modules are compiled once, for the workers and for the many programs that the tests start, also where
# PYTHONDONTWRITEBYTECODE is set. Errors of the collection are the tests' to show.
bytecode: dev
	@$(BIN)/python -m compileall -q $(PACKAGES)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --collect-only -qq -p no:cacheprovider >/dev/null 2>&1 || true

# The tiers without servers, processes and databases beyond SQLite in memory.
test-quick: JOBS ?= 2
test-quick: dev site
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal --hypothesis-profile=quick tests/unit tests/property tests/scenarios $(ARGS)

check: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: dev
	$(BIN)/python -m bench $(ARGS)

# pip-compile writes the name of this command into the head of the lock files.
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --strip-extras --generate-hashes \
  --allow-unsafe --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $(UPGRADE)

lock: dev
	$(COMPILE) --build-deps-for editable --constraint constraints.txt --output-file requirements.lock pyproject.toml
	$(COMPILE) --build-deps-for editable --extra backup --extra parquet --constraint requirements.lock \
	  --output-file requirements-server.lock pyproject.toml
	$(COMPILE) --build-deps-for editable --extra image --constraint requirements-server.lock \
	  --output-file requirements-image.lock pyproject.toml
	$(COMPILE) --build-deps-for editable --extra dev --constraint requirements.lock \
	  --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) $(CLIENTS)/node_modules $(BROWSER)/node_modules $(VENDOR)/node_modules frontend/vendor
