#!/usr/bin/env bash
# Plays three data cuts of the synthetic study `refresh` through, as a study group would live them:
# lock the plan before the first patient, run and freeze each cut, read what changed, and take out the patient who withdrew before the third.
set -euo pipefail
cd "$(dirname "$0")/.."
snakemake=${SNAKEMAKE:-.venv/bin/snakemake}
cores=${CORES:-2}
folder=results/refresh
if [ -e "$folder" ]; then
  echo "$folder is there already: a frozen cut is never made again. Look at it, or remove it first:"
  echo "  chmod -R u+w $folder && rm -r $folder"
  exit 1
fi
said() { printf '\n== %s\n' "$*"; }
run() { "$snakemake" --cores "$cores" "$@" 2>"$log" || { cat "$log" >&2; exit 1; }; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
said "before the first patient: the plan is locked"
run lock_plan --configfile config/cohorts/refresh/2026-02-01/study.yaml
cat "$folder/logs/lock_plan.log"
for cut in 2026-05-01 2026-08-01 2026-11-01; do
  study=config/cohorts/refresh/$cut/study.yaml
  if [ "$cut" = 2026-11-01 ]; then
    said "P006 withdrew consent: out of every result, and of the two frozen cuts"
    run withdraw --configfile "$study" --config withdraw=P006
  fi
  said "data cut $cut"
  run all freeze --configfile "$study"
  sed -n '/^Plan, version/,/^Complete log/{/^Complete log/!p}' "$log"
  for page in "$folder"/compare/*/compare.html; do
    [ ! -e "$page" ] || echo "What changed: $page"
  done
done
said "is everything as it was frozen?"
run verify --configfile "$study"
cat "$folder/logs/verify.log"
