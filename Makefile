# `make` lists what there is. Every target sets up what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto

.DEFAULT_GOAL := help
.PHONY: help setup run fmt lint type test check conformance parity bench model docs clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

# The server alone: what `make run` needs.
$(VENV)/.run: pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# Everything that tests, checks and benchmarks use.
$(VENV)/.dev: $(VENV)/.run
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: $(VENV)/.dev ## Make the environment with all tools

run: $(VENV)/.run ## Serve on http://localhost:4566 (settings: ECR_EMU_* variables)
	@exec $(BIN)/ecr-emu serve

fmt: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.dev ## Check style
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

type: $(VENV)/.dev ## Check types
	$(BIN)/mypy

test: $(VENV)/.dev ## Run the tests (about two minutes; needs no engine and no network)
	$(BIN)/python -m pytest tests -n $(WORKERS)

check: lint type test ## Style, types and tests

conformance: $(VENV)/.dev ## OCI suite, real engines and the README (Debian packages: docs/conformance.md)
	$(BIN)/python conformance/oci/run.py
	$(BIN)/python -m pytest conformance

parity: $(VENV)/.dev ## What AWS answers, asked of ecr-emu or of ENDPOINT=http://…
	$(BIN)/python -m conformance.parity $(if $(ENDPOINT),--endpoint $(ENDPOINT))

bench: $(VENV)/.dev ## Measure beside other registries and emulators; writes docs/benchmarks.md
	$(BIN)/python -m conformance.bench.install
	$(BIN)/python -m conformance.bench --write

model: $(VENV)/.dev ## Take the service model of the newest botocore
	$(BIN)/python -m pip install --quiet --upgrade botocore boto3
	$(BIN)/python -m ecr_emu.control.model "$$($(BIN)/python -c 'import botocore, pathlib; print(pathlib.Path(botocore.__file__).parent / "data")')"

docs: $(VENV)/.dev ## Write the generated pages: docs/operations.md, docs/settings.md
	$(BIN)/python -m tests.generate_docs

clean: ## Remove the environment and all caches
	rm -rf $(VENV) .cache .pytest_cache .ruff_cache .mypy_cache .hypothesis
