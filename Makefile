# make demo   install, then run the whole workflow on offline stand-ins
# make report install, then write the report on what 'make demo' made, or on what exists of it
# make test   install, then run the tests
# make test-slurm   the tests that need a SLURM: starts one in /tmp, needs root on Debian
# make plan   say what TARGETS cost on GPUS GPUs, starting nothing: make plan TARGETS=table3 GPUS=4
# make bench  measure speed as ratios and fill in docs/performance.md; on an idle machine
# make lint   ruff, snakefmt, snakemake --lint, mypy
# make clean  remove what the demo and the workflow made (not the environment)

PYTHON ?= python3.11
BIN := .venv/bin
# Bars and colours only where somebody watches.
SNAKEMAKE := $(BIN)/snakemake
# Computing jobs use one thread each; Snakemake runs as many as there are cores.
export OMP_NUM_THREADS ?= 1

# A cell of the demo is seconds of work, and to load torch takes two: it is loaded once for all.
WARM := $(BIN)/rst warm

# Whose results 'make report' shows: demo or slurm.
PROFILE ?= demo

.PHONY: install bench demo report plan test test-slurm lint clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[attacks,workflow,dev]'
	@# Only cross-checked against. It asks for a requests of 2021, which snakemake cannot use.
	$(BIN)/python -m pip install --quiet --no-deps torchattacks==3.5.1
	touch $@

demo: install
	$(WARM) $(SNAKEMAKE) --profile demo results/figures/fig7.png
	@echo "First picture: results/figures/fig7.png. Now all the rest."
	$(WARM) $(SNAKEMAKE) --profile demo all
	$(SNAKEMAKE) --profile demo --report results/report.html --quiet all
	@echo "Tables are in results/tables, figures in results/figures; results/report.html shows all."

# A complete report wants every page; before that there is one on the partial results.
report: install
	@mkdir -p results/logs
	@if $(SNAKEMAKE) --profile $(PROFILE) --report results/report.html 2> results/logs/report.log; \
	then echo "The report is results/report.html."; \
	else echo "Not all is made (see the end of results/logs/report.log): reporting what exists." && \
	$(SNAKEMAKE) partial --profile $(PROFILE) --nolock --quiet all && \
	$(SNAKEMAKE) partial --profile $(PROFILE) --report results/partial/report.html --quiet all && \
	echo "The report on what exists is results/partial/report.html."; \
	fi

# Hours come from what `rst calibrate` wrote on the device that will compute.
plan: install
	@$(BIN)/rst plan $(or $(TARGETS),all) --gpus $(or $(GPUS),1 8)

# In the order of the files, which begins with the folders of long tests: the short ones fill the end.
test: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slurm: install
	$(BIN)/python -m pytest -m slurm --numprocesses 0 tests/slurm

bench: install
	env -u OMP_NUM_THREADS $(BIN)/python -m benchmarks

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint

clean:
	rm -rf results .snakemake
