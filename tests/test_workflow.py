"""Whole runs: what a user types, and what is there afterwards."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import figure_data
import pandas as pd
import psutil
import pytest
import yaml
from conftest import ROOT, Clone, make_clone

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]

FIGURES = tuple(figure_data.FIGURES)
TABLES = (
    "characteristics", "transition_matrix", "transitions", "associations", "models", "sensitivity",
    "noise", "agreement", "lesions", "missing", "deviations",
)  # fmt: skip
DELIVERABLES = (
    "cohort/patients.csv", "cohort/lesions.csv", "cohort/repairs.csv", "cohort/problems.csv",
    "cohort/flow.csv", "transitions/transitions.csv", "transitions/lesions.csv",
    "transitions/matrix.csv", "statistics.csv", "models/model.krenning.json",
    "models/model.krenning_cycles.json", "models/model.suvmax.json", "summary.html",
    "report.html", "provenance.json",
    *(f"figures/{name}.{kind}" for name in FIGURES
      for kind in ("pdf", "svg", "png", "tiff", "csv", "txt")),
    *(f"tables/{name}.{kind}" for name in TABLES for kind in ("csv", "docx", "html")),
    "tables/tables.xlsx",
)  # fmt: skip
# What runs when something upstream of all figures and tables changed.
AFTER_FIGURES = {"write_captions", "render_summary"}
AFTER_STATISTICS = AFTER_FIGURES | {
    "collect_statistics", "make_tables", "draw_forest", "draw_sensitivity",
    "draw_regression_to_mean", "draw_diagnostics",
}  # fmt: skip
AFTER_MODELS = AFTER_STATISTICS | {"predict_scores", "draw_predicted", "draw_gain_by_mib1"}


def planned(clone: Clone, *words: str) -> set[str]:
    """Return the rules that a run would execute."""
    done = clone.snakemake("--dry-run", *words)
    assert done.returncode == 0, done.stdout
    if "Nothing to be done" in done.stdout:
        return set()
    block = done.stdout.split("Job stats:")[1].split("total")[0]
    rules = set(re.findall(r"^(\w+)\s+\d+$", block, re.MULTILINE))
    return rules - {"all", "report", "figures", "tables", "request_report"}


def contents(results: Path) -> dict[str, str]:
    """Return the SHA-256 of every result that has to be the same from run to run."""
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file()
        and path.name != "report.html"
        and path.parent.name != "logs"
        and not path.name.startswith(".")
    }


def write_study(folder: Path, patients: str, lesions: str | None = None, **settings) -> str:
    """Write a study of its own into `folder` and return the name of its config."""
    (folder / "patients.csv").write_text(patients, encoding="utf-8")
    source = {"name": "ward", "patients": "patients.csv"}
    if lesions is not None:
        (folder / "lesions.csv").write_text(lesions, encoding="utf-8")
        source["lesions"] = "lesions.csv"
    config = {"study": "mine", "cut": "2026-01-31", "sources": [source]} | settings
    (folder / "mine.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return "mine.yaml"


def test_example_study_gives_every_deliverable(example):
    missing = [name for name in DELIVERABLES if not (example.results() / name).is_file()]
    assert missing == []
    assert all((example.results() / name).stat().st_size for name in DELIVERABLES
               if name != "cohort/problems.csv")  # fmt: skip


def test_second_run_does_nothing(example):
    before = contents(example.results())
    done = example.snakemake()
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout
    assert contents(example.results()) == before


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        *((f"figures/{name}.py", {f"draw_{name}"} | AFTER_FIGURES) for name in FIGURES),
        ("figures/style.py", {f"draw_{name}" for name in FIGURES} | AFTER_FIGURES),
        ("captions.py", AFTER_FIGURES),
        ("table_formats.py", {"make_tables", "render_summary"}),
        ("summary.py", {"render_summary"}),
        ("summary_lead.py", {"render_summary"}),
        ("ordinal.py", {"fit_models", "assess_sensitivity"} | AFTER_MODELS),
        ("alternatives.py", {"assess_sensitivity"} | AFTER_STATISTICS),
        ("mixed_ordinal.py", {"fit_models"} | AFTER_MODELS),
        (
            "transitions.py",
            {"describe_cohort", "compute_transitions", "fit_models", "assess_sensitivity",
             "draw_transition_matrix", "draw_alluvial", "draw_paired_slopes", "draw_waterfall"}
            | AFTER_MODELS,
        ),
    ],
)  # fmt: skip
def test_editing_a_module_reruns_its_dependents_only(example, module, expected):
    path = example.path / "scripts/captem" / module
    text, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(text + b"\n# edited\n")
        assert planned(example) - {"record_provenance"} == expected
    finally:
        path.write_bytes(text)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("workflow/report/forest.rst", {"write_captions", "render_summary"}),
        ("workflow/report/summary.html.jinja", {"render_summary"}),
        ("workflow/report/summary.js", {"render_summary"}),
        ("workflow/validity.csv", AFTER_STATISTICS | {"record_provenance"}),
    ],
)
def test_editing_a_template_reruns_what_it_fills(example, name, expected):
    path = example.path / name
    text, times = path.read_text(encoding="utf-8"), path.stat()
    try:
        path.write_text("\n" + text, encoding="utf-8")
        assert planned(example) == expected
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    "name", ["report.html", "statistics.csv", "cohort/problems.csv", "transitions/matrix.csv"]
)
def test_a_result_that_is_gone_is_made_again(example, name):
    before = contents(example.results())
    (example.results() / name).unlink()
    done = example.snakemake()
    assert done.returncode == 0, done.stdout
    assert (example.results() / name).is_file()
    assert contents(example.results()) == before
    assert "Nothing to be done" in example.snakemake().stdout


def test_a_setting_reruns_what_it_changes(example):
    rules = planned(example, "--config", "mib1_floor=1")
    assert rules >= {"fit_models", "draw_gain_by_mib1"}
    assert "ingest_cohort" not in rules
    assert "compute_transitions" not in rules


def test_another_profile_redraws_the_figures_only(example):
    profiled = planned(example, "--config", "figures={profile: slides}")
    assert profiled - {"record_provenance"} == {f"draw_{name}" for name in FIGURES} | AFTER_FIGURES


@pytest.mark.parametrize(
    ("settings", "listed"),
    [
        ({}, False),
        ({"tables": {"listing": True}}, True),
        ({"tables": {"listing": True}, "disclosure": {"min_count": 5}}, False),
        ({"tables": {"listing": True}, "audience": "public"}, False),
    ],
)
def test_patients_are_listed_only_where_it_is_asked_for_and_nothing_is_masked(
    example, tmp_path, settings, listed
):
    given = yaml.safe_load((example.path / "config/config.yaml").read_text(encoding="utf-8"))
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(given | settings), encoding="utf-8")
    done = example.snakemake(
        "tables", "--dry-run", "--forcerun", "make_tables",
        "--configfile", str(tmp_path / "study.yaml"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "tables/tables.xlsx" in done.stdout
    assert ("tables/listing.csv" in done.stdout) == listed


def test_putting_figures_together_draws_no_figure_again(example):
    chosen = "figures={panels: [[transition_matrix, paired_slopes], [forest]]}"
    rules = planned(example, "--config", chosen)
    assert rules >= {"draw_panels", "write_panels_caption"}
    assert not rules & {f"draw_{name}" for name in FIGURES}
    done = example.snakemake("figures", "--config", chosen)
    assert done.returncode == 0, done.stdout
    made = {path.name for path in (example.results() / "figures").glob("panels.*")}
    assert made == {f"panels.{kind}" for kind in ("pdf", "svg", "png", "tiff", "csv", "txt")}
    listed = (example.results() / "figures/panels.csv").read_text(encoding="utf-8")
    assert "A,transition_matrix,transition_matrix.csv" in listed
    for path in (example.results() / "figures").glob("panels.*"):
        path.unlink()
    (example.results() / "logs/draw_panels.log").unlink()
    (example.results() / "logs/write_panels_caption.log").unlink()


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ("{profile: slide}", "did you mean 'slides'?"),
        ("{panels: [[forest, forest]]}", "forest stands twice"),
        ("{panels: [[flow, forest, alluvial]]}", "begin another row"),
    ],
)
def test_figures_that_cannot_be_are_explained_before_anything_runs(clone, figures, words):
    done = clone.snakemake("--config", f"figures={figures}")
    assert done.returncode
    assert words in done.stdout
    assert "Traceback" not in done.stdout


def test_both_entry_points_plan_the_same(clone):
    assert planned(clone) == planned(clone, "--snakefile", "workflow/Snakefile")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stduy=x"], ["unknown key 'stduy'", "did you mean 'study'?"]),
        (["criterion={treshold: 3}"], ["unknown key 'treshold' in criterion", "'threshold'"]),
        (["on_problem=exclude"], ["on_problem", "'exclude_row'"]),
        (["confirmatory_sources=[prospectiv]"], ["no source 'prospectiv'", "'prospective'"]),
    ],
)
def test_misspelt_settings_are_named_with_the_nearest_right_one(clone, words, said):
    done = clone.snakemake("--dry-run", "--config", *words)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    for text in said:
        assert text in done.stdout


def test_a_study_of_ones_own_inherits_nothing_from_the_example(clone, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    config = write_study(folder, "patient_id,krenning_pre,krenning_post\nA,1,3\nB,2,2\nC,<=1,2\n")
    done = clone.snakemake(
        "--snakefile", str(clone.path / "Snakefile"), "--directory", ".", "--configfile", config,
        cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    provenance = yaml.safe_load((folder / "results/mine/provenance.json").read_text())
    assert provenance["config"]["confirmatory_sources"] == []
    assert list(provenance["inputs"]) == ["patients.csv"]
    assert "synthetic" not in (folder / "results/mine/summary.html").read_text().lower()
    assert not (clone.path / "results/example").exists()


def test_the_example_runs_from_any_folder(clone, tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    done = clone.snakemake("--snakefile", str(clone.path / "Snakefile"), "check", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert (folder / "results/example/cohort/patients.csv").exists() is False
    assert (folder / "results/example/cohort/checked.txt").exists()
    again = clone.snakemake("--snakefile", str(clone.path / "Snakefile"), "check", cwd=folder)
    assert "Nothing to be done" in again.stdout


def test_published_case_is_complete_and_infers_nothing(clone):
    done = clone.snakemake("--configfile", "config/published_case.yaml")
    assert done.returncode == 0, done.stdout
    results = clone.results("published_case")
    assert [name for name in DELIVERABLES if not (results / name).is_file()] == []
    with (results / "statistics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["n_patients"] for row in rows} <= {"0", "1"}
    assert all(row["conf_low"] == row["conf_high"] == row["p_value"] == "" for row in rows)
    asked = ("model.", "transition.sign_test", "criterion.mcnemar")
    tests = [row for row in rows if row["analysis"].startswith(asked)]
    assert tests
    assert all(row["status"] == "not_estimable" and row["reason"] for row in tests)
    assert "synthetic" not in (results / "summary.html").read_text(encoding="utf-8").lower()


BAD_PATIENTS = """patient_id,age_years,Ki-67,captem_cycles,krenning_pre,krenning_post
A,58,7-8,6,5,3
B,61,120 %,4,1,2
C,70,10,-2,1,2
D,49,12,3,1,2
D,50,12,3,1,2
E,52,abc,4,II,III-IV
"""


def bad_study(folder: Path) -> str:
    config = write_study(folder, BAD_PATIENTS)
    settings = yaml.safe_load((folder / config).read_text())
    settings["sources"][0]["columns"] = {"mib1": "Ki-67"}
    settings["sources"].append({"name": "absent", "patients": "not_there.csv"})
    (folder / "empty.csv").write_text("")
    settings["sources"].append({"name": "empty", "patients": "empty.csv"})
    (folder / "short.csv").write_text("patient_id,krenning_pre\nX,1\n")
    settings["sources"].append({"name": "short", "patients": "short.csv"})
    (folder / config).write_text(yaml.safe_dump(settings))
    return config


def test_bad_input_lists_every_problem_at_once(clone):
    config = bad_study(clone.path)
    done = clone.snakemake("--configfile", config, "--retries", "2")
    assert done.returncode == 1
    assert done.stdout.count("Checking the tables of the cohort") == 1
    assert "Traceback" not in done.stdout
    with (clone.results("mine") / "cohort/problems.csv").open(newline="") as stream:
        problems = list(csv.DictReader(stream))
    found = {(p["rule"], p["file"], p["row"], p["patient_id"], p["column"]) for p in problems}
    assert found == {
        ("missing_file", "not_there.csv", "", "", ""),
        ("empty_file", "empty.csv", "", "", ""),
        ("missing_column", "short.csv", "", "", "krenning_post"),
        ("out_of_range", "patients.csv", "2", "A", "krenning_pre"),
        ("out_of_range", "patients.csv", "3", "B", "Ki-67"),
        ("out_of_range", "patients.csv", "4", "C", "captem_cycles"),
        ("duplicate_patient", "patients.csv", "5", "D", "patient_id"),
        ("duplicate_patient", "patients.csv", "6", "D", "patient_id"),
        ("not_readable", "patients.csv", "7", "E", "Ki-67"),
    }
    assert all(p["severity"] == "error" and p["allowed"] and p["mend"] for p in problems)
    terminal = done.stdout[done.stdout.index("have problems:") :]
    for text in (
        "not_there.csv", "empty.csv", "column krenning_post", "row 2, patient A", "found: 5",
        "found: 120", "found: -2", "row 6, patient D", "allowed:",
    ):  # fmt: skip
        assert text in terminal
    assert not (clone.results("mine") / "cohort/patients.csv").exists()


def test_bad_input_leaves_the_last_good_results(clone):
    good = "patient_id,krenning_pre,krenning_post\nA,1,3\nB,2,2\nC,<=1,2\n"
    config = write_study(clone.path, good)
    assert clone.snakemake("--configfile", config).returncode == 0
    before = {name: digest for name, digest in contents(clone.results("mine")).items()
              if not name.startswith("cohort/")}  # fmt: skip
    (clone.path / "patients.csv").write_text(good.replace("B,2,2", "B,2,7"))
    assert clone.snakemake("--configfile", config).returncode == 1
    after = contents(clone.results("mine"))
    assert {name: digest for name, digest in after.items() if name in before} == before
    assert (clone.results("mine") / "cohort/patients.csv").is_file()
    assert (clone.results("mine") / "report.html").is_file()
    (clone.path / "patients.csv").write_text(good)
    done = clone.snakemake("--configfile", config)
    assert done.returncode == 0, done.stdout
    assert {name: digest for name, digest in contents(clone.results("mine")).items()
            if name in before} == before  # fmt: skip


def test_check_of_new_data_leaves_the_report_alone(clone):
    good = "patient_id,krenning_pre,krenning_post\nA,1,3\nB,2,2\nC,<=1,2\n"
    config = write_study(clone.path, good)
    assert clone.snakemake("--configfile", config).returncode == 0
    before = {path: path.stat().st_mtime_ns for path in clone.results("mine").rglob("*")
              if path.is_file() and not {"cohort", "logs"} & set(path.parts)}  # fmt: skip
    (clone.path / "patients.csv").write_text(good + "D,1,4\n")
    done = clone.snakemake("check", "--configfile", config)
    assert done.returncode == 0, done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "report.html" in {path.name for path in before}


def test_a_method_that_failed_in_simulation_is_unstable_at_that_size(clone):
    rows = "".join(f"P{i},{i % 3},{i % 3 + (i % 2)}\n" for i in range(12))
    config = write_study(clone.path, f"patient_id,krenning_pre,krenning_post\n{rows}")
    row_id = "transition.net_improvement/krenning/all"
    cells = pd.read_csv(clone.path / "workflow/validity.csv", dtype={"outside": object})
    chosen = cells["row_id"].eq(row_id) & cells["patients"].eq(12) & cells["scenario"].eq("mib1")
    assert chosen.sum() == 1
    other = {"studies": 2000, "covers": 0.9, "covers_error": 0.01, "judged": "yes",
             "outside": "coverage"}  # fmt: skip
    cells.loc[chosen, list(other)] = list(other.values())
    cells.to_csv(clone.path / "workflow/validity.csv", index=False)
    done = clone.snakemake("statistics", "--configfile", config)
    assert done.returncode == 0, done.stdout
    row = pd.read_csv(clone.results("mine") / "statistics.csv").set_index("row_id").loc[row_id]
    assert row["status"] == "unstable"
    assert "at about 12 patients its interval held the truth in 90.0 % (±1.0 %)" in row["reason"]


def test_check_touches_nothing_but_the_cohort_folder(clone):
    config = bad_study(clone.path)
    done = clone.snakemake("check", "--configfile", config)
    assert done.returncode == 1
    made = {path.name for path in clone.results("mine").iterdir()}
    assert made == {"cohort", "logs"}


@pytest.mark.parametrize("good", [0, 3])
def test_exclude_row_leaves_out_the_rows_with_errors_and_counts_them(clone, good):
    rows = "".join(f"G{i},60,7-8,6,1,{1 + i}\n" for i in range(good))
    patients = BAD_PATIENTS.replace("Ki-67", "mib1") + rows
    config = write_study(clone.path, patients, on_problem="exclude_row")
    done = clone.snakemake("--configfile", config)
    assert done.returncode == 0, done.stdout
    with (clone.results("mine") / "cohort/flow.csv").open(newline="") as stream:
        flow = {(row["step"], row["reason"]): int(row["n"]) for row in csv.DictReader(stream)}
    assert flow[("recorded", "")] == 6 + good
    assert sum(n for (step, _), n in flow.items() if step == "excluded") == 6
    assert flow[("included", "")] == good
    assert (clone.results("mine") / "summary.html").is_file()


def test_a_failing_script_leaves_its_traceback_in_the_log(clone):
    module = clone.path / "scripts/captem/describe.py"
    module.write_text(module.read_text() + "\n\ndef describe(patients):\n    return 1 / 0\n")
    done = clone.snakemake("--config", "study=broken")
    assert done.returncode == 1
    log = (clone.results("broken") / "logs/describe_cohort.log").read_text()
    assert "ZeroDivisionError" in log
    assert "describe.py" in log
    assert "Traceback" not in done.stdout
    assert "describe_cohort.log" in done.stdout
    assert "ZeroDivisionError" in done.stdout[-600:]


CONSUMER = """
module captem:
    snakefile: "{snakefile}"
    config: config["captem"]
    prefix: "uptake"

use rule * from captem as captem_*

rule everything:
    default_target: True
    input: rules.captem_report.input
"""


def test_usable_as_a_module_with_a_prefix(clone, tmp_path):
    folder = tmp_path / "consumer"
    folder.mkdir()
    own = write_study(folder, "patient_id,krenning_pre,krenning_post\nA,1,3\nB,2,2\nC,<=1,2\n")
    settings = yaml.safe_load((folder / own).read_text())
    (folder / "consumer.yaml").write_text(yaml.safe_dump({"captem": settings}))
    (folder / "Snakefile").write_text(CONSUMER.format(snakefile=clone.path / "Snakefile"))
    words = ("--configfile", "consumer.yaml")
    done = clone.snakemake(*words, cwd=folder)
    assert done.returncode == 0, done.stdout
    assert (folder / "uptake/results/mine/summary.html").is_file()
    assert not (folder / "results").exists()
    done = clone.snakemake(*words, "--report", "consumer.html", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert (folder / "consumer.html").stat().st_size > 100_000
    done = clone.snakemake(*words, cwd=folder)
    assert "Nothing to be done" in done.stdout


def test_results_are_the_same_bytes_elsewhere(example, tmp_path):
    other = make_clone(tmp_path / "another place")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1"],
        cwd=other.path,
        env={
            **os.environ,
            "PYTHONHASHSEED": "77",
            "LC_ALL": "C",
            "TZ": "Pacific/Auckland",
            "COLUMNS": "60",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert contents(other.results()) == contents(example.results())


def test_a_killed_run_leaves_no_orphan_and_nothing_half_done(example, tmp_path):
    other = make_clone(tmp_path / "captem")
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2"],
        cwd=other.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert any("Fitting the models" in line for line in run.stdout)
    scripts = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    run.stdout.close()
    _, orphans = psutil.wait_procs(scripts, timeout=30)
    assert orphans == []
    locked = other.snakemake()
    assert locked.returncode == 1
    assert "--unlock" in locked.stdout
    assert other.snakemake("--unlock").returncode == 0
    done = other.snakemake()
    assert done.returncode == 0, done.stdout
    assert contents(other.results()) == contents(example.results())


def test_an_error_in_the_template_leaves_the_last_manuscript(clone, tmp_path):
    shipped = clone.path / "workflow/manuscript/manuscript.md.jinja"
    own = clone.path / "my_text.md"
    study = yaml.safe_load((clone.path / "config/published_case.yaml").read_text())
    study["manuscript"] = {"template": "my_text.md"}
    (clone.path / "mine.yaml").write_text(yaml.safe_dump(study))
    own.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    words = ("manuscript", "--configfile", "mine.yaml")
    done = clone.snakemake(*words)
    assert done.returncode == 0, done.stdout
    folder = clone.results("published_case") / "manuscript"
    before = contents(folder)
    own.write_text(own.read_text(encoding="utf-8") + "{{ no_such_name }}\n", encoding="utf-8")
    failed = clone.snakemake(*words)
    assert failed.returncode == 1 and "my_text.md" in failed.stdout
    whole = {name: data for name, data in before.items() if not name.startswith("filled/")}
    assert contents(folder) == whole
    assert {"manuscript.md", "numbers.csv", "manuscript.docx"} <= set(whole)


def test_lint_finds_nothing(example):
    done = example.snakemake("--lint")
    assert done.returncode == 0, done.stdout


def test_snakefiles_are_formatted():
    snakefmt = shutil.which("snakefmt") or str(Path(sys.executable).with_name("snakefmt"))
    done = subprocess.run(
        [snakefmt, "--check", "Snakefile", "workflow"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
