"""
Settings of the study, and what rules need to name their inputs. No rules here.

REQUIRED INPUTS:
    config: from --configfile, --config or a `module:` statement; the example study where none is given
OUTPUTS:
    SETTINGS: the resolved settings; RESULTS: where they lead; functions for inputs and handlers
"""

import csv
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.io import get_flag_value

# The modules that the Snakefile itself uses; source_path() also brings them here from a remote clone.
for _name in (
    "__init__",
    "errors",
    "imports",
    "config",
    "problems",
    "preflight_rows",
    "manuscript_list",
    "identity",
    "profiles",
    "files",
    "chain",
    "cuts",
    "plan",
    "look_events",
    "holder",
    "progress",
    "planning_grid",
    "calibration_grid",
):
    _module = Path(workflow.source_path(f"../../scripts/captem/{_name}.py"))
sys.path.insert(0, str(_module.parent.parent))

from captem import calibration_grid as captem_calibration
from captem import chain as captem_chain
from captem import config as captem_config
from captem import cuts as captem_cuts
from captem import holder as captem_holder
from captem import look_events as captem_looks
from captem import manuscript_list as captem_manuscript
from captem import plan as captem_plan
from captem import planning_grid as captem_planning
from captem import preflight_rows as captem_preflight
from captem import problems as captem_problems
from captem.config import resolve
from captem.errors import CaptemError
from captem.identity import KEY_VARIABLE, fingerprint
from captem.imports import module_files
from captem.profiles import Profile, check_panels
from captem.profiles import resolve as resolve_profile


def read_yaml(path):
    """Return the content of a YAML file beside this workflow."""
    return yaml.safe_load(Path(workflow.source_path(path)).read_text(encoding="utf-8"))


def example_file(path):
    """Return where a file of the example is, for a run from another folder.

    Where the clone is at hand it is the file itself: the copy that source_path() makes has a new
    name in each run, and a setting that changes from run to run would make everything again.
    """
    copy = workflow.source_path(path)
    original = os.path.normpath(get_flag_value(copy, "sourcecache_entry") or copy)
    return original if os.path.isfile(original) else str(copy)


def resolved_settings():
    """Return the settings; the example's only where the user has not given a study.

    `configfile:` would not do: Snakemake merges a user's file into it, and the user's study would
    silently inherit the example's settings.
    """
    given = dict(config)
    if not workflow.config_settings.configfiles and "sources" not in given:
        given = read_yaml("../../config/config.yaml") | given
        for source in given["sources"]:
            for table in ("patients", "lesions"):
                if not Path(source[table]).exists():
                    source[table] = example_file(f"../../{source[table]}")
    try:
        return resolve(given, read_yaml("../schemas/config.schema.yaml"))
    except CaptemError as error:
        raise WorkflowError(str(error)) from None


def resolved_profile():
    """Return the figure profile that the study asks for."""
    try:
        found = resolve_profile(
            SETTINGS["figures"], read_yaml("../figure_profiles.yaml")
        )
        check_panels(SETTINGS["figures"]["panels"], Profile.of(found))
        return found
    except CaptemError as error:
        raise WorkflowError(f"The config is not right:\n  - {error}") from None


SETTINGS = resolved_settings()
RESULTS = f"results/{SETTINGS['study']}"
# Asked for with each run, and no setting of the study.
AUDIENCE = SETTINGS.pop("audience")
AGAINST = SETTINGS.pop("against")
WITHDRAW = SETTINGS.pop("withdraw")
REASON = SETTINGS.pop("reason")
# What studies to come might show is no part of what this one does.
PLANNING = SETTINGS.pop("planning")
# Nor is how captem itself is put to the test.
CALIBRATION = SETTINGS.pop("calibration")
# A public copy of a study that masks nothing has a folder of its own: the results stay as they are.
PUBLIC_COPY = AUDIENCE == "public" and not SETTINGS["disclosure"]["min_count"]
MIN_COUNT = 5 if PUBLIC_COPY else SETTINGS["disclosure"]["min_count"]
SHOWN = f"{RESULTS}/public" if PUBLIC_COPY else RESULTS
PROFILE = resolved_profile()
PANELS = SETTINGS["figures"]["panels"]
IN_PANELS = [name for row in PANELS for name in row]
SOURCE_FILES = [
    source[name]
    for source in SETTINGS["sources"]
    for name in ("patients", "lesions", "dictionary")
    if name in source
]
# A marked copy of each table: its name, and the file (or the address of the project) it is of.
MARKED = {
    f"{source['name']}_{name}": source[name]
    for source in SETTINGS["sources"]
    for name in ("patients", "lesions")
    if name in source and (name == "patients" or source[name] != source["patients"])
} | {
    f"{source['name']}_redcap": source["redcap"]["url"]
    for source in SETTINGS["sources"]
    if "redcap" in source
}
# Where the results really are, also for a module with a prefix.
FOLDER = workflow.modifier.modify_path(RESULTS)
LOCK = workflow.source_path("../../requirements.lock")
# What simulation measured of the methods, which makes rows unstable: as much a part of the code.
MEASURED = workflow.source_path("../validity.csv")
FIGURES = {
    "flow": "Who is in which analysis?",
    "transition_matrix": "From which score to which?",
    "alluvial": "How do the scores flow from baseline to follow-up?",
    "paired_slopes": "What happened in each patient?",
    "waterfall": "How much did SUVmax change?",
    "gain_by_mib1": "Does the gain go with MIB1 or with cycles?",
    "predicted": "Which follow-up score is to be expected?",
    "forest": "What do the models say?",
    "timeline": "When was each patient treated and scanned?",
    "sensitivity": "Does the answer depend on choices?",
    "regression_to_mean": "How much of the gain is noise and selection?",
    "diagnostics": "Do the models fit, and who decides them?",
}
MODELS = (
    "model.krenning",
    "model.krenning_cycles",
    "model.criterion",
    "model.criterion_cycles",
    "model.suvmax",
    "model.suvmax_cycles",
    "model.lesion_krenning",
    "model.lesion_krenning_cycles",
    "model.lesion_suvmax",
    "model.lesion_suvmax_cycles",
)
CODE = set()  # grows with each rule; what a run's provenance is hashed over
TABLES = (
    "characteristics",
    "transition_matrix",
    "transitions",
    "associations",
    "models",
    "sensitivity",
    "noise",
    "agreement",
    "lesions",
    "missing",
    "deviations",
)
# What ships for the manuscript, each to be replaced by a file of the user's.
OF_MANUSCRIPT = {
    "template": "manuscript.md.jinja",
    "bibliography": "references.bib",
    "style": "numeric.csl",
}
# Patient-level, hence only where it is asked for and nothing is masked.
LISTING = SETTINGS["tables"]["listing"] and not MIN_COUNT
# What says what the study is and how it looks; the table of deviations is about all other settings.
NOT_OF_THE_ANALYSIS = (
    "study",
    "cut",
    "sources",
    "figures",
    "manuscript",
    "disclosure",
    "patient_ids",
    "plan",
    "planning",
    "calibration",
)


@cache
def code_file(path):
    """Return where a file under scripts/ is; asked once a start, as each rule asks for the same."""
    return workflow.source_path(f"../../scripts/{path}")


@cache
def read_source(path):
    """Return the text of a file under scripts/, or None where there is none."""
    try:
        return Path(code_file(path)).read_text(encoding="utf-8")
    except (OSError, WorkflowError):
        return None


def is_file(path):
    """Return whether a file is there; a name that no file can have is a file that is not there."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False


def says_synthetic(path):
    """Return whether the note at the top of a table says that its data are synthetic."""
    if not is_file(path):
        return False
    with open(path, encoding="utf-8", errors="replace") as lines:
        note = itertools.takewhile(
            lambda line: line.lstrip("\ufeff").startswith("#"), lines
        )
        return any(
            line.strip("\ufeff# ").lower().startswith("synthetic") for line in note
        )


def read_as_synthetic():
    """Return whether an earlier step found that the data are synthetic, whatever file holds them."""
    path = Path(f"{RESULTS}/cohort/sources.csv")
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", newline="") as stream:
        return any(row["synthetic"] == "yes" for row in csv.DictReader(stream))


def needs(script):
    """Return what a script's result depends on beside its data: its modules, and the versions."""
    modules = module_files(script, read_source)
    CODE.update({script, *modules})
    return [code_file(path) for path in modules] + [LOCK]


def all_code():
    """Return what shapes results: scripts and modules of the rules so far, and what was measured."""
    return [*(code_file(path) for path in sorted(CODE)), MEASURED]


# For the front page of report.html, which is rendered from `config`; scripts of planning and of
# calibration say how far the whole run is, which no single one of them depends on.
config.update(SETTINGS | {"planning": PLANNING, "calibration": CALIBRATION})
SYNTHETIC = any(says_synthetic(path) for path in SOURCE_FILES) or read_as_synthetic()


def key_mark():
    """Return what changes when the key of the hashed codes does, without giving it away.

    A missing or short key stops here, before anything is read.
    """
    if SETTINGS["patient_ids"] != "hash":
        return ""
    try:
        return fingerprint(os.environ.get(KEY_VARIABLE, ""))
    except CaptemError as error:
        raise WorkflowError(str(error)) from None


def exported_cut():
    """Return the data cut where a source is read from a server: its data are fetched once a cut."""
    return (
        SETTINGS["cut"] if any("redcap" in item for item in SETTINGS["sources"]) else ""
    )


def shown(path):
    """Return where a result is, as tables, figures, page and manuscript may show it.

    Where small counts are masked (rule `mask_small_counts`) it is the masked copy.
    """
    return f"{SHOWN}/disclosure/{path}" if MIN_COUNT else f"{RESULTS}/{path}"


def seen_sources():
    """Return the SHA-256 of each source file that is there, by its path."""
    return {
        path: captem_cuts.sha256(Path(path).read_bytes())
        for path in SOURCE_FILES
        if is_file(path)
    }


def tables_of_patients():
    """Return the SHA-256 of the table of patients of each source, by its path, by source."""
    seen = seen_sources()
    return {
        source["name"]: {
            path: seen[path] for path in [source.get("patients")] if path in seen
        }
        for source in SETTINGS["sources"]
    }


def tables_to_count(wildcards):
    """Return the source files, whose rows are written down with the plan; one that is missing stops."""
    for source in SETTINGS["sources"]:
        path = source.get("patients")
        if path and not is_file(path):
            raise WorkflowError(
                f"The plan was not locked: {path} of source {source['name']} is not there, and its "
                "rows are written down with the plan. Before the first patient a table with "
                "headings only will do (target template makes one)."
            )
    return existing_sources(wildcards)


def frozen_cuts():
    """Return the frozen data cuts; what is not as it was frozen stops here, before anything runs.

    The jobs of a run read this file again, and need not look at each byte once more.
    """
    try:
        if not workflow.is_main_process:
            return captem_cuts.sealed(FOLDER)
        if not WITHDRAW:
            captem_cuts.check_none_under_way(FOLDER)
        found = captem_cuts.sealed(FOLDER) if WITHDRAW else captem_cuts.check(FOLDER)
        # What was frozen can be verified whatever the config names by now; which targets are asked
        # for, Snakemake knows only once this file is read.
        if not WITHDRAW and "verify" not in sys.argv:
            captem_cuts.check_name(found, SETTINGS["cut"], seen_sources(), SOURCE_FILES)
        return found
    except CaptemError as error:
        raise WorkflowError(str(error)) from None


FROZEN = frozen_cuts()
CHAIN = captem_chain.read(f"{FOLDER}/{captem_cuts.CHAIN}")
WITHDRAWN = captem_cuts.withdrawn(CHAIN)
# What had happened when this cut was frozen, and everything where it is not.
HISTORY = captem_looks.history(CHAIN, SETTINGS["cut"])
# The plan that was locked, None where none was: what counts is the chain, not the file.
PLAN = captem_plan.locked(HISTORY)
if PLAN:
    PLAN = captem_plan.renamed(PLAN, tables_of_patients())
# The looks at other cuts before this one.
LOOKS_TAKEN = captem_looks.taken(HISTORY, SETTINGS["cut"], FROZEN)
if PLAN and not MIN_COUNT:
    TABLES += ("looks",)
if LISTING:
    TABLES += ("listing",)


def planned_look(wildcards):
    """Return nothing; a look that no locked plan has stops here, before anything runs.

    Asked for as an input of the statistics: locking the plan itself needs no look.
    """
    asked = SETTINGS["plan"]["look"]
    if asked and not PLAN:
        raise WorkflowError(
            f"plan, look: {asked}: no plan of this study is locked, so there is no planned look. "
            "Lock it first (target lock_plan), or leave look out."
        )
    patients = PLAN.plan["looks"]["patients"] if PLAN else []
    if asked > len(patients):
        raise WorkflowError(
            f"plan, look: {asked}: the plan that was locked has {len(patients)}, at "
            f"{', '.join(map(str, patients))} patients with both scans."
        )
    return []


def earlier_looks(wildcards):
    """Return nothing; a look that is frozen before an earlier one stops here, as it would count never.

    A cut that is frozen is held against what had happened on its day.
    """
    there = any(cut.name == SETTINGS["cut"] for cut in FROZEN)
    asked = SETTINGS["plan"]["look"]
    other = captem_looks.otherwise(HISTORY, SETTINGS["cut"], asked, FROZEN)
    if other and not there:
        raise WorkflowError(
            f"{other[:1].upper()}{other[1:]}, and the config calls it {f'look {asked}' if asked else 'none'} "
            "(plan: look). Put that right, then freeze: what was seen at a look counts for the next ones. "
            "Nothing was frozen."
        )
    open_ = [] if there else [item for item in LOOKS_TAKEN if not item["frozen"]]
    if SETTINGS["plan"]["look"] and open_:
        look, cut = open_[0]["look"], open_[0]["cut"]
        raise WorkflowError(
            f"Look {look} was taken at the data cut {cut}, which is not frozen. Freeze that one first, "
            f"with its own config (make freeze STUDY=...): frozen now, the data cut {SETTINGS['cut']} "
            "would stay exploratory for ever. Nothing was frozen."
        )
    return []


def plan_file(wildcards):
    """Return the plan that the config names; what is missing is said in words."""
    path = SETTINGS["plan"]["file"]
    if not path:
        raise WorkflowError(
            "The config names no plan. Write one (docs/plan.md has one to begin with) and name it: "
            "plan: {file: my_plan.yaml}"
        )
    if not is_file(path):
        raise WorkflowError(
            f"The plan {path} of the config is not there. Paths are relative to the folder you work "
            "in."
        )
    return local(path)


def clean_tables():
    """Return the clean tables, which a run under a plan is known by."""
    return {name: f"{RESULTS}/cohort/{name}.csv" for name in ("patients", "lesions")}


def settings_of_plan():
    """Return the settings that are held against the plan."""
    names = ("criterion", "follow_up", "mib1_floor", "on_problem", "models")
    settings = {name: SETTINGS[name] for name in (*names, "confirmatory_sources")}
    return settings | captem_plan.of_config(SETTINGS)


def plan_settings():
    """Return the params of the rules that hold a run against the plan."""
    asked, cut = SETTINGS["plan"]["look"], SETTINGS["cut"]
    return {
        "plan": PLAN.as_params(),
        "settings": settings_of_plan(),
        "confirmatory": SETTINGS["confirmatory_sources"],
        "look": asked,
        "cut": cut,
        "taken": LOOKS_TAKEN,
        "otherwise": captem_looks.otherwise(HISTORY, cut, asked, FROZEN),
        "tables": tables_of_patients(),
        "results": FOLDER,
    }


@cache
def planning_chunks():
    """Return what each job of the target plan simulates, by the name of its file."""
    return captem_planning.chunks(PLANNING)


def planning_results(wildcards):
    """Return the file of each chunk of the grid."""
    return [f"{RESULTS}/planning/chunks/{name}.csv" for name in planning_chunks()]


def planning_tasks(wildcards):
    """Return what one chunk simulates, and nothing of the rest of the grid."""
    return captem_planning.as_params(planning_chunks()[wildcards.chunk])


def planning_settings(*names):
    """Return the settings of planning of these names, for the rules that depend on them alone."""
    return {name: PLANNING[name] for name in names}


def say_what_planning_found():
    """Print the smallest number of patients that is enough, and what more patients would do."""
    path = Path(f"{RESULTS}/planning/planning.txt")
    if "plan" in workflow.dag_settings.targets and path.is_file():
        print(f"\n{path.read_text(encoding='utf-8').strip()}", file=sys.stderr)
        print(f"All of it: {RESULTS}/planning/", file=sys.stderr)


@cache
def calibration_chunks():
    """Return what each job of the target calibrate draws, by the name of its file."""
    return {chunk.path: chunk for chunk in captem_calibration.chunks(CALIBRATION)}


def calibration_results(wildcards):
    """Return the file of each chunk, in the order of their studies."""
    return [f"{RESULTS}/calibration/chunks/{path}" for path in calibration_chunks()]


def calibration_blocks(wildcards):
    """Return what one chunk draws, and nothing of the rest: number and studies of each block."""
    path = f"{wildcards.rows}/{wildcards.scenario}/{wildcards.patients}/{wildcards.part}.csv"
    return [list(block) for block in calibration_chunks()[path].blocks]


def say_what_calibration_found():
    """Print which methods are outside their limits, and where all of it stands."""
    path = Path(f"{RESULTS}/calibration/calibration.txt")
    if "calibrate" in workflow.dag_settings.targets and path.is_file():
        print(f"\n{path.read_text(encoding='utf-8').strip()}", file=sys.stderr)
        print(f"All of it: {RESULTS}/calibration/validity.md", file=sys.stderr)


def compared_cut():
    """Return the frozen cut to compare with, None where there is none.

    The one that was asked for (`--config against=...`), else the newest that is not this one.
    """
    if not AGAINST:
        others = [cut for cut in FROZEN if cut.name != SETTINGS["cut"]]
        return others[-1] if others else None
    try:
        return captem_cuts.named(FROZEN, AGAINST, SETTINGS["cut"])
    except CaptemError as error:
        raise WorkflowError(str(error)) from None


def nothing_to_compare(wildcards):
    """Say why there is no comparison, where one is asked for."""
    raise WorkflowError(
        "There is nothing to compare with: no other data cut of this study is frozen. Freeze one "
        "with the target freeze before new data come in."
    )


def frozen_on(name):
    """Return the day on which a cut was frozen."""
    return next(
        entry.day
        for entry in CHAIN
        if entry.event == captem_chain.FREEZE and entry.details["cut"] == name
    )


def freeze_token():
    """Return a text that changes where the cut of this run is not frozen, or no longer there.

    A cut is no output for Snakemake; the token is written down by `freeze_cut`, and as long as the
    cut is there the same token is returned, so that there is nothing to do.
    """
    marker = Path(f"{FOLDER}/logs/frozen.txt")
    said = marker.read_text(encoding="utf-8") if marker.is_file() else "1"
    token = said.partition("\n")[0]
    there = any(cut.name == SETTINGS["cut"] for cut in FROZEN)
    return token if there or not marker.is_file() else str(int(token) + 1)


def existing_sources(wildcards):
    """Return the source files that are there; a missing one is a line of problems.csv."""
    return [local(path) for path in SOURCE_FILES if is_file(path)]


def caption_file(name):
    """Return where the caption of a figure will be, for Snakemake's report to read it."""
    path = f"{SHOWN}/figures/{name}.txt"
    return str(Path(workflow.modifier.modify_path(path)).absolute())


def figure_files(name, category):
    """Return the outputs of a rule that draws a figure; the svg goes into the report."""
    stem = f"{SHOWN}/figures/{name}"
    # Snakemake sorts by label; the number keeps the order of reading.
    number = [*FIGURES, "panels"].index(name) + 1
    labels = {"figure": f"{number:02d} {name.replace('_', ' ')}"}
    shown = report(
        f"{stem}.svg", caption=caption_file(name), category=category, labels=labels
    )
    rest = {kind: f"{stem}.{kind}" for kind in ("pdf", "png", "tiff", "csv")}
    return rest | {"svg": shown}


def table_inputs():
    """Return the inputs that a rule needs to have all tables (`captem.tables.all_tables`)."""
    files = {
        "statistics": shown("statistics.csv"),
        "matrix": shown("transitions/matrix.csv"),
        "flow": shown("cohort/flow.csv"),
        "sources": f"{RESULTS}/cohort/sources.csv",
    }
    # Their reasons and numbers are not masked.
    if PLAN and not MIN_COUNT:
        files["plan_deviations"] = f"{RESULTS}/plan/deviations.csv"
        files["looks"] = f"{RESULTS}/plan/looks.csv"
    if LISTING:
        files["patients"] = f"{RESULTS}/cohort/patients.csv"
        files["changes"] = f"{RESULTS}/transitions/transitions.csv"
    return files


def table_settings():
    """Return the params of a rule that needs all tables, its settings and their defaults."""
    every = {
        "settings": SETTINGS,
        "defaults": captem_config.defaults(read_yaml("../schemas/config.schema.yaml")),
    }
    return {
        name: {
            key: value for key, value in found.items() if key not in NOT_OF_THE_ANALYSIS
        }
        for name, found in every.items()
    }


def table_files():
    """Return the outputs of the rule that makes the tables; the html goes into the report."""
    files = {"workbook": f"{SHOWN}/tables/tables.xlsx"}
    for number, name in enumerate(TABLES, start=1):
        stem = f"{SHOWN}/tables/{name}"
        files |= {f"{name}_{kind}": f"{stem}.{kind}" for kind in ("csv", "docx")}
        files[f"{name}_html"] = report(
            f"{stem}.html",
            caption="../report/tables.rst",
            category="6 Tables",
            labels={"table": f"{number:02d} {name.replace('_', ' ')}"},
        )
    return files


def manuscript_file(kind):
    """Return the user's template, references or citation style, or the one that ships.

    A file of the user that is not there is no input: the script says in words what is missing.
    """
    own = SETTINGS["manuscript"][kind]
    if own:
        return local(own) if is_file(own) else []
    return workflow.source_path(f"../manuscript/{OF_MANUSCRIPT[kind]}")


def manuscript_inputs():
    """Return the inputs of the rules that read the whole manuscript."""
    figures = {
        f"{name}_{kind}": f"{SHOWN}/figures/{name}.{kind}"
        for name in FIGURES
        for kind in ("txt", "png")
    }
    own = {kind: manuscript_file(kind) for kind in OF_MANUSCRIPT}
    more = {
        "provenance": f"{RESULTS}/provenance.json",
        "shipped_references": workflow.source_path("../manuscript/references.bib"),
    }
    return figures | table_inputs() | own | more


def manuscript_settings():
    """Return the params of the rules that read the whole manuscript."""
    config = SETTINGS | {"disclosure": {"min_count": MIN_COUNT}}
    return table_settings() | {
        "figures": list(FIGURES),
        "config": config,
        "shipped": OF_MANUSCRIPT,
    }


def report_contents():
    """Return all that report.html shows, and what summary.html is made with."""
    figures = [
        f"{SHOWN}/figures/{name}.{kind}" for name in FIGURES for kind in ("svg", "txt")
    ]
    tables = [f"{SHOWN}/tables/{name}.html" for name in TABLES]
    return [*figures, *tables, f"{SHOWN}/summary.html", f"{RESULTS}/provenance.json"]


def report_token():
    """Return a text that changes when report.html is missing or older than what it shows.

    Snakemake makes the report after a run, and a run with nothing to do has no after. The token is
    a setting of `request_report`, so that there is something to do; the rule writes it down, and as
    long as the report is current the same token is returned.
    """
    marker = Path(f"{RESULTS}/logs/report_requested.txt")
    summary, page = Path(f"{RESULTS}/summary.html"), Path(f"{RESULTS}/report.html")
    token = marker.read_text(encoding="utf-8").strip() if marker.is_file() else "1"
    inside_another = workflow.modifier.namespace is not None
    if inside_another or not summary.is_file() or not token.isdigit():
        return "1"
    current = page.is_file() and page.stat().st_mtime >= summary.stat().st_mtime
    return token if current else str(int(token) + 1)


def deliverables():
    """Return every file that a whole run promises."""
    names = ["statistics.csv", "provenance.json"]
    names += [
        f"cohort/{name}.csv"
        for name in ("patients", "lesions", "flow", "eligibility", "sources")
    ]
    names += ["cohort/problems.csv", "cohort/repairs.csv"]
    names += [
        f"transitions/{name}.csv" for name in ("transitions", "lesions", "matrix")
    ]
    names += [f"models/{name}.json" for name in MODELS]
    names += captem_cuts.OF_PLAN if PLAN else []
    return [*(f"{RESULTS}/{name}" for name in names), f"{SHOWN}/summary.html"]


def look_around():
    """Say so at once where another run is at work here or one was killed, and where the disk is full.

    On a full disk Snakemake could not even write down that it failed.
    """
    if not workflow.is_main_process:
        return
    if said := captem_holder.in_words(".snakemake"):
        print(said, file=sys.stderr)
    if (free := shutil.disk_usage(".").free) < 2**20:
        raise SystemExit(
            f"The disk is full: {free // 1024} kB are left in {Path.cwd()}. Make room (the example "
            "needs 40 MB), then run again. Nothing was begun, and nothing changed."
        )


look_around()


def begin():
    """Write down who is at work, and stop where nothing can be written.

    Frozen cuts and the entries of the chain are read-only as they should be.
    """
    captem_holder.note(".snakemake", workflow.dag_settings.targets)
    folder = Path(FOLDER)
    below = [path for path in folder.glob("*") if path.is_dir()]
    there = next(path for path in [folder, *folder.absolute().parents] if path.is_dir())
    for path in [there, *below]:
        if path.name != captem_cuts.CUTS and not os.access(path, os.W_OK | os.X_OK):
            raise WorkflowError(
                f"Nothing can be written to {path}: it is read-only, or belongs to another user. "
                "Give yourself the right to it, or work in a folder of your own (--directory)."
            )


def say_where_results_are():
    """Write report.html when a run has made all that it shows, and say where to look first."""
    if set(workflow.dag_settings.targets) == {"template"}:
        print(f"The forms are in {RESULTS}/templates/.", file=sys.stderr)
        return
    alone = {"preflight", "verify", "withdraw", "lock_plan", "calibrate"}
    if (
        set(workflow.dag_settings.targets)
        and set(workflow.dag_settings.targets) <= alone
    ):
        return
    problems_csv = Path(f"{RESULTS}/cohort/problems.csv")
    found = captem_problems.read(problems_csv) if problems_csv.is_file() else []
    if found:
        print(captem_problems.as_text(found), file=sys.stderr)
        print(f"All of them: {problems_csv}", file=sys.stderr)
    else:
        print(
            f"No problems in the tables of study {SETTINGS['study']}.", file=sys.stderr
        )
    if "bundle" in workflow.dag_settings.targets:
        print(
            captem_bundle_contents.as_text(BUNDLE, AUDIENCE, listing=LISTING),
            file=sys.stderr,
        )
    # A run for some other target, such as check, leaves the report as it was.
    asked = set(workflow.dag_settings.targets or ["all"]) & {"all", "report"}
    if not asked or not all(is_file(path) for path in report_contents()):
        return
    if PUBLIC_COPY:
        print(f"Read this first: {SHOWN}/summary.html", file=sys.stderr)
        return
    # While it is written there is none: an interrupted run must not leave an older one behind.
    Path(f"{RESULTS}/report.html").unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "settings.yaml"
        settings.write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
        made = subprocess.run(
            [
                sys.executable,
                "-m",
                "snakemake",
                "report",
                "--report",
                f"{RESULTS}/report.html",
            ]
            + [
                "--snakefile",
                str(workflow.main_snakefile),
                "--directory",
                str(Path.cwd()),
            ]
            + ["--configfile", str(settings), "--cores", "1", "--nolock"],
            capture_output=True,
            text=True,
        )
    if made.returncode:
        tail = "\n".join(made.stderr.strip().splitlines()[-5:])
        print(f"report.html could not be written:\n{tail}", file=sys.stderr)
    print(f"Read this first: {RESULTS}/summary.html", file=sys.stderr)
    changed = (
        Path(f"{RESULTS}/compare/{COMPARED.name}/compare.html") if COMPARED else None
    )
    if changed and changed.is_file():
        print(f"What changed since {COMPARED.name}: {changed}", file=sys.stderr)


def say_what_preflight_found():
    """Print what the check of the figures found."""
    found = captem_preflight.read(f"{RESULTS}/preflight.csv")
    profile = SETTINGS["figures"]["profile"]
    print(
        f"\nThe figures of study {SETTINGS['study']}, held against the profile {profile}:",
        file=sys.stderr,
    )
    print(captem_preflight.as_text(found), file=sys.stderr)
    print(f"All checks: {RESULTS}/preflight.csv", file=sys.stderr)


def say_what_the_manuscript_holds():
    """Print how many numbers have a name, and which typed ones disagree with the results."""
    listed = f"{SHOWN}/manuscript/numbers.csv"
    print(
        "\n"
        + captem_manuscript.as_text(
            captem_manuscript.read(listed), SETTINGS["manuscript"]["template"]
        ),
        file=sys.stderr,
    )
    print(f"All of them: {listed}", file=sys.stderr)
    print(f"The manuscript: {SHOWN}/manuscript/manuscript.docx", file=sys.stderr)


def read_rows(path):
    """Return the rows of a csv file of the results."""
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def say_what_the_plan_says():
    """Print what is planned and what exploratory, and which deviations have no reason yet."""
    asked = set(workflow.dag_settings.targets or ["all"])
    path = SETTINGS["plan"]["file"]
    if not asked & {"all", "report", "statistics", "freeze"}:
        return
    data = Path(path).read_bytes() if path and is_file(path) else None
    said = [captem_plan.file_differs(captem_plan.locked(CHAIN), path, data)]
    reasons = SETTINGS["plan"]["deviations"]
    if reasons and not is_file(reasons):
        said.append(f"The file of reasons {reasons} of the config is not there.")
    found = [f"{RESULTS}/plan/{name}.csv" for name in ("planned", "deviations")]
    if PLAN and all(map(is_file, found)):
        rows = map(read_rows, found)
        said.append(captem_plan.as_text(PLAN, *rows, reasons, f"{RESULTS}/plan"))
    looks = f"{RESULTS}/plan/looks.csv"
    if PLAN and is_file(looks):
        frozen = "freeze" in asked or any(cut.name == SETTINGS["cut"] for cut in FROZEN)
        said.append(captem_looks.reminder(frozen, read_rows(looks)))
    for text in filter(None, said):
        print(f"\n{text}", file=sys.stderr)


def say_what_was_frozen():
    """Print what a step said that freezes, checks what is frozen, or takes a patient out."""
    logs = {
        "freeze": "logs/freeze_cut.log",
        "verify": "logs/verify.log",
        "withdraw": "chain/withdraw.log",
        "lock_plan": "logs/lock_plan.log",
    }
    for target, log in logs.items():
        path = Path(f"{FOLDER}/{log}")
        if target in workflow.dag_settings.targets and path.is_file():
            said = path.read_text(encoding="utf-8").strip()
            print(f"\n{said}", file=sys.stderr)


def say_what_went_wrong(log):
    """Print what is wrong in words as the last thing: the data's problems, or the failed log's end.

    `log` lists the files Snakemake wrote its own messages to.
    """
    said = "".join(Path(path).read_text(encoding="utf-8") for path in log)
    failed = [
        Path(path)
        for path in re.findall(r"^ +log: (.+?) \(check log", said, re.MULTILINE)
    ]
    if any(path.name == "check_cohort.log" for path in failed):
        found = captem_problems.read(f"{RESULTS}/cohort/problems.csv")
        print(
            f"\nThe data of study {SETTINGS['study']} have problems:", file=sys.stderr
        )
        print(captem_problems.as_text(found), file=sys.stderr)
        print(
            f"All of them: {RESULTS}/cohort/problems.csv. Statistics, figures and tables made before are unchanged.",
            file=sys.stderr,
        )
        return
    if any(path.name == "judge_figures.log" for path in failed):
        say_what_preflight_found()
        return
    for path in failed:
        if path.is_file() and path.stat().st_size:
            lines = path.read_text(encoding="utf-8").strip().splitlines()
            # A message in words is shown whole, of a traceback what went wrong.
            most = 3 if any(line.startswith("Traceback") for line in lines) else 40
            tail = "\n".join(lines[-most:])
            print(f"\nWhat went wrong, from {path}:\n{tail}", file=sys.stderr)
