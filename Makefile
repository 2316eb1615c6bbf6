# make demo   install, then run the whole workflow on offline stand-ins
# make report install, then write the report on what 'make demo' made, or on what exists of it
# make test   install, then run the tests
# make test-slurm   the tests that need a SLURM: starts one in /tmp, needs root on Debian
# make container   build container/rst.sif, where there is Apptainer, for --sdm apptainer
# make plan   say what TARGETS cost on GPUS GPUs, starting nothing: make plan TARGETS=table3 GPUS=4
# make bench  measure speed as ratios and fill in docs/performance.md; on an idle machine
# make lint   ruff, snakefmt, snakemake --lint, mypy, and the docs
# make docs   the API and the config, from docstrings and schema, into results/api
# make readme  make the demo anew, and show its log and pictures, and the plans, in README
# make example-tickets  search the tickets of examples/tickets again
# make clean  remove what the demo and the workflow made (not the environment)

ifneq ($(words $(CURDIR)),1)
$(error This folder's path has a space, with which Snakemake cannot run scripts; move the project)
endif

PYTHON ?= python3.11
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake
# Computing jobs use one thread each; Snakemake runs as many as there are cores.
export OMP_NUM_THREADS ?= 1

# Whose results 'make report' shows: demo or slurm, and where they are.
PROFILE ?= demo
RESULTS := $(if $(filter demo,$(PROFILE)),results/demo,results)

.PHONY: install bench container demo report plan test test-slurm lint docs readme example-tickets clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[attacks,workflow,dev]'
	@# Only cross-checked against. It asks for a requests of 2021, which snakemake cannot use.
	$(BIN)/python -m pip install --quiet --no-deps torchattacks==3.5.1
	touch $@

demo: install
	$(SNAKEMAKE) --profile demo all --prioritize $(RESULTS)/figures/fig7.png
	$(SNAKEMAKE) --profile demo --report $(RESULTS)/report.html --quiet all
	@echo "Open $(RESULTS)/report.html."
	@echo "Tables are in $(RESULTS)/tables, figures in $(RESULTS)/figures."

# A complete report needs every page; until then the partial results are reported.
report: install
	@mkdir -p $(RESULTS)/logs
	@if $(SNAKEMAKE) --profile $(PROFILE) --report $(RESULTS)/report.html 2> $(RESULTS)/logs/report.log; \
	then echo "The report is $(RESULTS)/report.html."; \
	else echo "The results are incomplete (see the end of $(RESULTS)/logs/report.log): reporting what exists." && \
	$(SNAKEMAKE) partial --profile $(PROFILE) --nolock --quiet all && \
	$(SNAKEMAKE) partial --profile $(PROFILE) --report $(RESULTS)/partial/report.html --quiet all && \
	echo "The report on what exists is $(RESULTS)/partial/report.html."; \
	fi

plan: install
	@$(BIN)/rst plan $(or $(TARGETS),all) --gpus $(or $(GPUS),1 8)

# In the order of the files, which begins with the folders of long tests: the short ones fill the end.
test: install
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-slurm: install
	$(BIN)/python -m pytest -m slurm --numprocesses 0 tests/slurm

container:
	apptainer build --force container/rst.sif container/rst.def

bench: install
	env -u OMP_NUM_THREADS $(BIN)/python -m benchmarks

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint
	$(MAKE) docs

# References that lead nowhere and docstrings that cannot be read are errors.
docs: install
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs/api results/api
	@echo "The API, config.yaml key by key and cells.csv column by column: results/api/index.html"

readme: install
	rm -rf results/demo
	bash -c 'time $(MAKE) --no-print-directory demo' > docs/demo_log.txt 2>&1
	$(BIN)/python -m tests.readme

# The examples' own tickets, searched again; images as in measurements/cifar10_6k_kinds.yaml.
EXAMPLES := $(shell cd examples/tickets && find . -name '*.pt')
example-tickets: install
	$(SNAKEMAKE) --configfile measurements/cifar10_6k_kinds.yaml examples/tickets.yaml --cores 2 \
		-- $(EXAMPLES:./%=results/cifar10_6k_kinds/cells/%)
	for file in $(EXAMPLES); do cp results/cifar10_6k_kinds/cells/$$file examples/tickets/$$file; done

clean:
	rm -rf results .snakemake
