# make demo   install, then run the whole workflow on offline stand-ins
# make test   install, then run the tests
# make plan   say what TARGETS cost on GPUS GPUs, starting nothing: make plan TARGETS=table3 GPUS=4
# make lint   ruff, snakefmt, snakemake --lint, mypy
# make clean  remove what the demo and the workflow made (not the environment)

PYTHON ?= python3.11
BIN := .venv/bin
# Bars and colours only where somebody watches.
SNAKEMAKE := $(BIN)/snakemake
# Computing jobs use one thread each; Snakemake runs as many as there are cores.
export OMP_NUM_THREADS ?= 1

.PHONY: install demo plan test lint clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[attacks,workflow,dev]'
	touch $@

demo: install
	$(SNAKEMAKE) --profile demo results/figures/fig7.png
	@echo "First picture: results/figures/fig7.png. Now all the rest."
	$(SNAKEMAKE) --profile demo all
	@echo "Tables are in results/tables, figures in results/figures."

# Hours come from what `rst calibrate` wrote on the device that will compute.
plan: install
	@$(BIN)/rst plan $(or $(TARGETS),all) --gpus $(or $(GPUS),1 8)

test: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint

clean:
	rm -rf results .snakemake
