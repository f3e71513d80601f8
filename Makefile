# What a person does here. Each sets up what it needs in .venv the first time and says so.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= python3

.PHONY: demo test check bench bench-training browser clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    run the whole road on the project's own sample; results in zhongjing-demo/"
	@echo "make test    run the tests (installs Chromium where it is missing)"
	@echo "make check   lint, formatting, types, import law, migrations, compose file"
	@echo "make bench   measure beside other libraries; prints tables (make bench-training: the trainers)"

demo: $(READY)
	$(BIN)/zhongjing demo

test: $(READY) browser
	$(BIN)/pytest -n 2 --dist loadfile --reruns 1 --only-rerun "Timeout [0-9]+ms exceeded"  # a starved browser, once

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/migrations.py
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

bench: $(VENV)/.peers
	$(BIN)/python bench/run.py

bench-training: $(VENV)/.peers
	$(BIN)/python bench/training_reward.py
	$(BIN)/python bench/training_ppo.py

$(VENV)/.peers: $(READY)
	@echo "==> installing what is measured beside us"
	$(BIN)/pip install --quiet --editable '.[bench]'
	@touch $@

$(READY): pyproject.toml
	@echo "==> setting up $(VENV) (once; some minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || .ci/apt-install python3-venv
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --editable '.[train,test]'
	@touch $@
	@echo "==> $(VENV) is ready"

browser:
	@command -v chromium >/dev/null || .ci/apt-install chromium fonts-wqy-zenhei
	@command -v curl >/dev/null || .ci/apt-install curl
	@PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || .ci/apt-install nginx-light

clean:
	rm -rf $(VENV) build *.egg-info zhongjing-demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
