# make            run the example study, to results/example/summary.html
# make test       run the tests
# make study SHEET=my_cohort.xlsx    write the config of your own study, my_cohort.yaml, from its sheet
# make check STUDY=my_cohort.yaml    only read and check its tables
# make STUDY=my_cohort.yaml          run it
# make preflight STUDY=my_cohort.yaml    look over the figures before they are sent
# make manuscript STUDY=my_cohort.yaml   the manuscript chapter with the numbers of the run
# make bundle STUDY=my_cohort.yaml AUDIENCE=coauthor    what private, coauthor or public may have
# make freeze STUDY=my_cohort.yaml   keep this data cut for ever
# make compare STUDY=my_cohort.yaml AGAINST=2026-08-01    what is other than in a frozen data cut
# make lock_plan STUDY=my_cohort.yaml    lock the plan, before there are data
# make plan STUDY=my_cohort.yaml     how many patients the next study needs
# make verify STUDY=my_cohort.yaml   check every byte of what was frozen
# make demo-refresh                  three data cuts of a synthetic study, played through
SHELL := /bin/bash
PYTHON ?= python3
CORES ?= 2
STUDY ?=
SHEET ?=
LESIONS ?=
DICTIONARY ?=
OPTIONS ?=
AUDIENCE ?= private
AGAINST ?=
REASON ?=
PATIENT ?=
BIN := .venv/bin
READY := .venv/ready
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := run
.PHONY: run study check preflight manuscript bundle freeze compare verify withdraw lock_plan plan demo-refresh template test pictures checks format bench bench-peers calibrate soak lock clean

run: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) $(if $(STUDY),--configfile "$(STUDY)")

# Besides the sheet, where you have them: LESIONS=my_lesions.xlsx, DICTIONARY=my_dictionary.csv, and
# OPTIONS= for whatever `.venv/bin/python scripts/propose_study.py --help` lists.
study: $(READY)
	@test -n "$(SHEET)" || { echo "Name your table: make study SHEET=my_cohort.xlsx"; exit 1; }
	@$(BIN)/python scripts/propose_study.py "$(SHEET)" $(if $(LESIONS),--lesions "$(LESIONS)") \
	  $(if $(DICTIONARY),--dictionary "$(DICTIONARY)") $(OPTIONS)

# A target stands before --configfile, which takes everything behind it for a file.
check: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) check $(if $(STUDY),--configfile "$(STUDY)")

# Opens the files of the figures and says what a journal may send back.
preflight: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) preflight $(if $(STUDY),--configfile "$(STUDY)")

# Word, web page and PDF from a template that you own, each number by name.
manuscript: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) manuscript $(if $(STUDY),--configfile "$(STUDY)")

# One zip: for the group itself (private), for coauthors, or for the public.
bundle: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) bundle --config "audience=$(AUDIENCE)" \
	  $(if $(STUDY),--configfile "$(STUDY)")

# The data cut that the config names, with the results of this run.
freeze: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) freeze $(if $(STUDY),--configfile "$(STUDY)")

# Against the newest frozen data cut where AGAINST names none.
compare: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) compare $(if $(AGAINST),--config "against=$(AGAINST)") \
	  $(if $(STUDY),--configfile "$(STUDY)")

verify: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores 1 verify $(if $(STUDY),--configfile "$(STUDY)")

# A patient who withdrew consent, out of every result and frozen data cut: PATIENT=A12.
withdraw: $(READY)
	$(study-is-there)
	@test -n "$(PATIENT)" || { echo "Name the patient's code: make withdraw STUDY=... PATIENT=A12"; exit 1; }
	$(BIN)/snakemake --cores 1 withdraw --config 'withdraw="$(PATIENT)"' \
	  $(if $(STUDY),--configfile "$(STUDY)")

# Power and widths of intervals of studies to come, by simulation.
plan: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) plan $(if $(STUDY),--configfile "$(STUDY)")

# Once, before the first patient; REASON="..." for an amendment.
lock_plan: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores 1 lock_plan $(if $(REASON),--config "reason=$(REASON)") \
	  $(if $(STUDY),--configfile "$(STUDY)")

demo-refresh: $(READY)
	SNAKEMAKE=$(BIN)/snakemake CORES=$(CORES) tools/demo_refresh.sh

# Forms for collecting data: for Excel, for REDCap, and as a Table Schema.
template: $(READY)
	$(study-is-there)
	$(BIN)/snakemake --cores $(CORES) template $(if $(STUDY),--configfile "$(STUDY)")

define study-is-there
@test -z "$(STUDY)" || test -f "$(STUDY)" || { echo "There is no file $(STUDY) in $$PWD." \
  "Name the config of your study: make STUDY=my_study.yaml"; exit 1; }
endef

test: $(READY)
	$(BIN)/python -m pytest -n $(CORES) --dist loadgroup

# After a change of figures that was meant, and looked at: the pictures that the tests compare with.
pictures: $(READY)
	$(BIN)/python -m pytest -q --mpl-generate-path=tests/pictures tests/test_pictures.py

# What a change has to pass besides the tests.
checks: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# How long a run takes against the same functions in one process, and a run with nothing to do.
bench: $(READY)
	$(BIN)/python tools/bench.py
	$(BIN)/python tools/bench_cohort.py
	$(BIN)/python tools/bench_transitions.py
	$(BIN)/python tools/bench_figures.py

# The model fits against R's packages and Python's; on Debian: apt-get install r-base-core
# r-cran-ordinal r-cran-rms r-cran-brglm2. FIRTHMODELS_PYTHON= names a Python that has firthmodels;
# OPTIONS=--skip-missing goes on without what is not there.
bench-peers: $(READY)
	$(BIN)/python tools/bench_peers.py $(OPTIONS)

# How often tests and intervals keep their word, in studies whose truth is known (two hours on two
# cores; what was interrupted goes on): writes docs/validity.md, and what collect_statistics reads.
calibrate: $(READY)
	$(BIN)/snakemake --cores $(CORES) calibrate
	cp results/example/calibration/validity.md docs/validity.md
	cp results/example/calibration/validity.csv workflow/validity.csv

# Kills thirty runs at random moments (about half an hour); OPTIONS="--kills 5 --seed 2".
soak: $(READY)
	$(BIN)/python tools/soak.py $(OPTIONS)

# After a change of dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	  --group dev --no-header --quiet --upgrade pyproject.toml -o requirements.lock
	$(PYTHON) tools/pin_environments.py

clean:
	rm -rf .venv .snakemake results/*/

# With uv where it is there (about ten times faster), else with venv and pip.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "captem needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
	  "Name another one: make PYTHON=python3.12"; exit 1; }
ifdef UV
	uv venv --quiet --allow-existing --python $(PYTHON) .venv
	UV_COMPILE_BYTECODE=1 uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
else
	$(PYTHON) -m venv .venv || { echo "Python's venv module is missing;" \
	  "on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  --no-deps -r requirements.lock
endif
	@touch $@
