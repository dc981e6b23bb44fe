"""Make everything that the example study gives in one Python process, without Snakemake.

    python tools/one_process.py FOLDER

The yardstick of tools/bench.py: the same functions in a row, the same files.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem import (  # noqa: E402
    bias_rows,
    captions,
    cohort,
    describe_rows,
    figure_rows,
    measured,
    models,
    origin,
    predictions,
    profiles,
    provenance,
    sensitivity,
    statistics,
    summary,
    table_formats,
    tables,
    tables_workbook,
    terms,
    transition_rows,
    transitions,
    word_tables,
)
from captem.config import defaults, resolve  # noqa: E402
from captem.figures import export  # noqa: E402
from captem.files import read_frame, write_bytes, write_frame, write_json, write_text  # noqa: E402
from captem.lesions import RULE_WORDS  # noqa: E402
from figure_data import FIGURES  # noqa: E402


def main(out: Path) -> None:
    """Run the example study into `out`."""
    settings = resolve(_yaml("config/config.yaml"), _yaml("workflow/schemas/config.schema.yaml"))
    threshold, rule = settings["criterion"]["threshold"], settings["criterion"]["rule"]
    confirmatory, floor = settings["confirmatory_sources"], settings["mib1_floor"]
    read = cohort.ingest(
        [cohort.Source(**source) for source in settings["sources"]],
        threshold=threshold,
        rule=rule,
        on_problem=settings["on_problem"],
        covariates=settings["models"]["covariates"],
    )
    for name in ("patients", "lesions", "flow", "sources", "repairs"):
        write_frame(out / f"cohort/{name}.csv", getattr(read, name))
    write_frame(out / "cohort/problems.csv", read.problem_frame())
    patients = read_frame(out / "cohort/patients.csv")
    lesions = read_frame(out / "cohort/lesions.csv")
    boundaries, seed = settings["surrogate"], settings["seed"]
    changes = transitions.patient_transitions(patients, lesions, threshold, rule, boundaries)
    lesion_changes = transitions.lesion_transitions(lesions, threshold, patients, boundaries)
    matrix = transitions.matrix(patients)
    plan = terms.Plan.of(floor, settings["models"])
    fitted, records = models.estimate(patients, lesions, changes, confirmatory, plan, seed)
    curves, predicted = predictions.estimate(patients, records, plan, seed)
    write_frame(out / "predictions/curves.csv", curves)
    alternatives = sensitivity.Settings(
        plan=plan, noise=settings["noise"], boundaries=boundaries, seed=seed,
        **settings["criterion"], **settings["sensitivity"],
    )  # fmt: skip
    rows = statistics.combine(
        [
            describe_rows.estimate(patients, lesions),
            transition_rows.estimate(
                patients, changes, lesion_changes, confirmatory, boundaries, seed
            ),
            bias_rows.estimate(patients, confirmatory, threshold, settings["noise"], seed),
            fitted,
            predicted,
            sensitivity.estimate(patients, lesions, changes, confirmatory, alternatives),
        ]
    )
    rows = measured.gated(rows, measured.numbers(read_frame(ROOT / "workflow/validity.csv")))
    write_frame(out / "transitions/transitions.csv", changes)
    write_frame(out / "transitions/lesions.csv", lesion_changes)
    write_frame(out / "transitions/matrix.csv", matrix)
    write_frame(out / "statistics.csv", rows)
    for name, record in records.items():
        write_json(out / f"models/{name}.json", record)

    data_kind = origin.data_kind(read.sources)
    shown = []
    profile = profiles.resolve(settings["figures"], _yaml("workflow/figure_profiles.yaml"))
    study = SimpleNamespace(
        settings=settings, flow=read.flow, patients=patients, lesions=lesions, changes=changes,
        lesion_changes=lesion_changes, matrix=matrix, statistics=rows, models=records,
        predictions=read_frame(out / "predictions/curves.csv"), sources=read.sources,
        eligibility=read.eligibility,
    )  # fmt: skip
    for name, (module, data) in FIGURES.items():
        stem = out / "figures" / name
        drawn = data(study)
        files = SimpleNamespace(**{kind: f"{stem}.{kind}" for kind in (*export.FORMATS, "csv")})
        export.write(module, drawn, files, profile, read.sources)
        template = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
        text = captions.render(
            name, template, rows, data_kind, figure_rows.as_written(drawn),
            threshold=threshold, rule_words=RULE_WORDS[rule],
        )  # fmt: skip
        write_text(f"{stem}.txt", text)
        svg = Path(f"{stem}.svg").read_bytes()
        shown.append(summary.Figure(name, name, svg, *captions.split(text)))
    schema = _yaml("workflow/schemas/config.schema.yaml")
    made = tables.all_tables(
        rows, matrix, read.sources, flow=read.flow, settings=settings, defaults=defaults(schema)
    )
    for table in made:
        write_text(out / f"tables/{table.name}.csv", table_formats.to_csv(table))
        write_text(out / f"tables/{table.name}.html", table_formats.html_page(table))
        write_bytes(out / f"tables/{table.name}.docx", word_tables.to_docx(table))
    write_bytes(out / "tables/tables.xlsx", tables_workbook.to_xlsx(made))
    source_files = [
        source[table]
        for source in settings["sources"]
        for table in ("patients", "lesions")
        if table in source
    ]
    code = sorted((ROOT / "scripts/captem").rglob("*.py"))
    lock = ROOT / "requirements.lock"
    record = provenance.record(settings, source_files, code, ROOT / "pyproject.toml", lock)
    write_json(out / "provenance.json", record)
    page = summary.render(
        (ROOT / "workflow/report/summary.html.jinja").read_text(encoding="utf-8"),
        script=(ROOT / "workflow/report/summary.js").read_text(encoding="utf-8"),
        study=settings["study"],
        cut=settings["cut"],
        statistics=rows,
        flow=read.flow,
        sources=read.sources,
        problems=read.problem_frame(),
        repairs=read.repairs,
        tables=made,
        figures=shown,
        provenance=record,
        criterion=settings["criterion"],
    )
    write_text(out / "summary.html", page)


def _yaml(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
