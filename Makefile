# make demo: see it work. make test: prove it. All of it lives in .venv and leaves no process behind.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STARTED := $(shell date +%s)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export OMP_NUM_THREADS ?= 1

.PHONY: demo test test-models lint install schema docs bench bench-peers clean

demo: install ## the poster shop: tables, pictures, searches
	@$(BIN)/mmdb demo
	@$(BIN)/python -c 'from mmdb.config import Settings as S; s = S.from_environment(); print(s.home, s.cache, sep="\0", end="")' \
	  | xargs -0 du -smc $(VENV) | tail -n 1 | awk '{print $$1 " MB on disk: $(VENV), the database, the models."}'
	@echo "From the start of make it took $$(($$(date +%s) - $(STARTED))) s."

# Three processes for two cores: a test that waits for a worker or a server leaves its core to another. File by file: what a
# module's tests share takes up to half a minute to make.
test: $(VENV)/dev ## the whole suite
	$(BIN)/python -m pytest -n 3 --dist loadfile

test-models: .venv-models/ready ## the backends that need the largest PyTorch, in an environment of 6 GB
	.venv-models/bin/python -m pytest tests/models tests/unit/test_models_embed_sentence_transformers.py

lint: $(VENV)/dev ## format, rules, types, the compose file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

install: $(VENV)/light ## only .venv with the light set and the mmdb command

schema: $(VENV)/dev ## write tests/migration/schema.sql again
	$(BIN)/python -m tests.migration.dump

docs: $(VENV)/dev ## write docs/sql.md and docs/cli.md again
	$(BIN)/python -m docs.generate

bench: $(VENV)/dev ## the budgets of speed, as ratios
	$(BIN)/python -m bench

bench-peers: $(VENV)/dev .venv-peers/ready ## mmdb beside what people would pick instead; half an hour
	$(BIN)/python -m bench.peers

clean: ## remove .venv, .venv-models and .venv-peers; the database under MMDB_HOME stays
	rm -rf $(VENV) .venv-models .venv-peers

# The light set is to stay small: byte code of what is never imported would be a tenth of it, and Python 3.11 puts a
# setuptools of 10 MB into every environment. `mmdb` is what the distribution was called at first.
$(VENV)/light: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("mmdb needs Python 3.11 or later: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip uninstall --quiet --quiet --yes setuptools mmdb
	$(BIN)/python -m pip install --quiet --no-compile --editable .
	@touch $@

# pip knows dependency groups since 25.1.
$(VENV)/dev: $(VENV)/light
	$(BIN)/python -m pip install --quiet --no-compile --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile --editable . --group dev
	@touch $@

.venv-models/ready: pyproject.toml
	@test -x .venv-models/bin/python || $(PYTHON) -m venv .venv-models
	.venv-models/bin/python -m pip install --quiet --editable ".[open-clip,sentence-transformers]" "sentence-transformers[openvino]" pytest pytest-timeout pytest-xdist
	@touch $@

.venv-peers/ready: bench/peers/requirements.txt
	@test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --requirement bench/peers/requirements.txt
	@touch $@
