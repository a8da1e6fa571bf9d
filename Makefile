# Everything here starts from a fresh clone: Python 3.11 or newer and the package index are enough.

PYTHON ?= python3
CLIP ?=
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo test lint slow bench format clean

help:
	@echo "make demo [CLIP=clip.mp4]  tracked masks of a clip, with the embedded model"
	@echo "make test                  every check that CI runs"
	@echo "make lint                  ruff and mypy only"
	@echo "make slow                  the tests that make test leaves out"
	@echo "make bench [CLIP=clip.mp4] every claim about speed, to benchmarks/results.md"
	@echo "make format                let ruff rewrite the sources in the project's format"

demo: $(VENV)/installed
	$(BIN)/qivis-infer $(if $(CLIP),"$(CLIP)",qivis/assets/demo.mp4)

test: lint
	$(BIN)/python -m pytest

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow -o faulthandler_timeout=1800

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/report.py $(if $(CLIP),--clip "$(CLIP)")

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache

# The files `installed` and `installed-dev` say that this has been done since setup.py changed.
$(VENV)/installed: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --editable .
	@touch $@

$(VENV)/installed-dev: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@ $(VENV)/installed

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "qivis needs Python 3.11 or newer; name one: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
