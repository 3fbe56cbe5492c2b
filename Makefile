# `make up` runs everything, `make test` tests everything. Both first make the virtual environment from the lock.

SHELL := /bin/bash
unexport PYTHONDONTWRITEBYTECODE # with it, each process would compile Prefect again, which takes seconds
# On 3.13 Prefect does not need pendulum, and a burst is 1.4 times as fast (benchmarks/engine.md).
FIT := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for each in python3.13 python3 python3.12 python3.11; do \
	$$each -c '$(FIT)' 2>/dev/null && echo $$each && break; done)
BIN := .venv/bin

.PHONY: up test check lint test-faults test-image check-deploy wheel release soak bench-receiver bench-engine bench-scale fuzz screenshots settings-table event-schemas dbt-sources console-texts console-vendor lock clean

up: .venv/runtime
	exec $(BIN)/cellar up

# The linters run beside the tests, and what they find comes last. Tests wait for a third of their time, so four files
# at a time keep two processors busy. Where 4 GB of memory are free for files, the tests write there: on a disk, a test
# that archives waits for some 80 syncs.
MEMORY := $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -n 1)" -gt 4000000 ] 2>/dev/null && echo TMPDIR=/dev/shm)
AT_ONCE ?= 4
test: .venv/development
	@linted=$$(mktemp); make --no-print-directory lint >$$linted 2>&1 & lint=$$!; \
	$(MEMORY) $(BIN)/python -m pytest --numprocesses $(AT_ONCE) --dist loadfile --no-loadscope-reorder; tests=$$?; \
	wait $$lint || { cat $$linted; tests=2; }; rm $$linted; exit $$tests

lint: .venv/development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

# For each commit: the linters, and beside them the tests of what needs no database.
check: .venv/development
	@linted=$$(mktemp); make --no-print-directory lint >$$linted 2>&1 & lint=$$!; \
	$(BIN)/python -m pytest --quiet tests/domain tests/models; tests=$$?; \
	wait $$lint || { cat $$linted; tests=2; }; rm $$linted; exit $$tests

# `make test-erasure`, `make test-console`: the tests of a room or of a noun.
test-%: .venv/development
	$(BIN)/python -m pytest $$(git ls-files 'tests/*test_*.py' | grep -i '[/_]$*[s/_.]')

# `SHARE=1/7` runs a seventh of the proofs, each day another.
SHARE ?= 1/1
test-faults: .venv/development .venv-readers/made
	SHARE=$(SHARE) $(BIN)/python -m pytest -m "faults or hypothesis" --hypothesis-profile=thorough

soak: .venv/development
	$(BIN)/python -m tests.distributed.soak

# checkov and its like have too many dependencies for the locks. They need Debian's kustomize and podman too.
check-deploy: .venv-checks/made
	deploy/check .venv-checks

.venv-checks/made: Makefile
	$(PYTHON) -m venv .venv-checks
	.venv-checks/bin/pip install --quiet --disable-pip-version-check checkov==3.3.30 compose-spec==0.2.1 podman-compose==1.6.0
	touch $@

# As root, with Debian's mmdebstrap and podman. See docs/containers.md.
test-image: .venv/development
	$(BIN)/python -m pytest -m faults -s tests/image

# docs/release.md. The wheel needs nothing but this checkout; the image needs podman, and the base image in `FROM`.
DIST ?= dist
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
NAME := $(DIST)/cellosign_cellar-$(VERSION)
IMAGE := cellar:$(VERSION)
wheel release: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
wheel: .venv/development
	mkdir -p $(DIST)
	$(BIN)/python -m hatchling build --target wheel --directory $(DIST)
	$(BIN)/python deploy/sbom.py wheel > $(NAME).wheel.cdx.json

release: wheel
	@test -r "$(RELEASE_KEY)" || { echo "make release RELEASE_KEY=FILE; docs/release.md says how to make the key" >&2; exit 1; }
	set -e -o pipefail; for each in "" -lake; do \
	  podman build --format docker --timestamp $(SOURCE_DATE_EPOCH) $(BUILD_OPTIONS) --target cellar$$each --tag $(IMAGE)$$each .; \
	  podman create --replace --name cellar-release --network none $(IMAGE)$$each; \
	  podman export cellar-release | $(BIN)/python deploy/sbom.py image > $(NAME).image$$each.cdx.json; \
	  podman rm cellar-release; \
	done
	podman save --multi-image-archive --output $(NAME).image.tar $(IMAGE) $(IMAGE)-lake
	deploy/sign $(NAME) "$(RELEASE_KEY)"

bench-receiver: .venv/development
	$(BIN)/python -m benchmarks.receiver
	$(BIN)/python -m benchmarks.report

bench-engine: .venv/development
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.engine_report

bench-scale: .venv/development
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.scale.report

# bench-imports, bench-search and so on: each module of benchmarks/ that measures by itself.
bench-%: .venv/development
	$(BIN)/python -m benchmarks.$*

fuzz: .venv/development
	$(BIN)/python -m tests.fuzz.scan --minutes 30

screenshots: .venv/development
	$(BIN)/python -m tests.end_to_end.screenshots docs/images

settings-table: .venv/development
	$(BIN)/python docs/settings_table.py

event-schemas: .venv/development
	$(BIN)/python docs/event_schemas.py

dbt-sources: .venv/development
	$(BIN)/python -m docs.dbt_sources

# Extracts the texts, updates their Hebrew, and compiles it. What lacks its Hebrew stays empty in the .po file.
TEXTS := adapters/words/texts
console-texts: .venv/development
	$(BIN)/pybabel -q extract -F $(TEXTS)/babel.cfg -k N_ -k _ --no-location --sort-output --omit-header \
	  -o $(TEXTS)/cellar.pot api/console domain
	$(BIN)/pybabel -q update -D cellar -l he -i $(TEXTS)/cellar.pot -d $(TEXTS) --no-fuzzy-matching \
	  --ignore-obsolete --ignore-pot-creation-date --no-wrap
	$(BIN)/pybabel -q compile -D cellar -l he -d $(TEXTS)
	rm $(TEXTS)/cellar.pot

# Needs npm. The pins are in deploy/console/vendored.json.
console-vendor: .venv/development
	$(BIN)/python deploy/console/vendor.py

.venv/python:
	@test -n "$(PYTHON)" || { echo "cellar needs Python 3.11 to 3.13 with its venv module: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/runtime: .venv/python requirements.lock pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	rm -rf .venv/prefect # it may be of a newer Prefect
	env -i PREFECT_HOME=$(abspath .venv/prefect) DO_NOT_TRACK=1 \
	  PREFECT_SERVER_DATABASE_CONNECTION_URL=sqlite+aiosqlite:///$(abspath .venv/prefect/prefect.db) \
	  $(BIN)/prefect server database upgrade --yes >/dev/null
	touch $@

.venv/development: .venv/runtime requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# What data teams read tables with: dbt, DuckDB, Polars, pandas, a notebook, and the maker of clients. It does not fit
# beside cellar, and cellar runs without it. dbt 1.12 needs a file that is not on PyPI.
.venv-readers/made: requirements-readers.lock
	$(PYTHON) -m venv .venv-readers
	.venv-readers/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-readers.lock
	touch $@

# The locks are for Python 3.11 to 3.13. uv resolves them in seconds, pip in minutes.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra build \
  --extra lake
READERS := $(shell cat deploy/dbt/requirements.txt) duckdb psycopg[binary] openapi-python-client polars pandas \
  nbclient ipykernel
lock:
	$(LOCK) --output-file requirements.lock pyproject.toml
	$(LOCK) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	echo "$(READERS)" | tr ' ' '\n' | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --output-file requirements-readers.lock -

clean:
	rm -rf dist .venv .venv-checks .venv-readers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
