"""The studies that ship, read and analysed in this process, for tests of single modules."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import yaml
from captem import (
    bias_rows,
    cohort,
    describe_rows,
    measured,
    models,
    predictions,
    sensitivity,
    statistics,
    tables,
    terms,
    transition_rows,
    transitions,
)
from captem.config import defaults, resolve
from captem.files import read_frame, write_frame
from captem.table_parts import Table

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Study:
    """A study from its config to its statistics."""

    settings: dict
    cohort: cohort.Cohort
    changes: pd.DataFrame
    lesion_changes: pd.DataFrame
    matrix: pd.DataFrame
    statistics: pd.DataFrame
    models: dict
    predictions: pd.DataFrame

    @property
    def patients(self) -> pd.DataFrame:
        return self.cohort.patients

    @property
    def lesions(self) -> pd.DataFrame:
        return self.cohort.lesions

    @property
    def flow(self) -> pd.DataFrame:
        return self.cohort.flow

    @property
    def eligibility(self) -> pd.DataFrame:
        return self.cohort.eligibility

    @property
    def sources(self) -> pd.DataFrame:
        return self.cohort.sources

    def tables(self, statistics: pd.DataFrame | None = None, **changed) -> list[Table]:
        """Return its tables, of other statistics or with other settings where these are given."""
        settings = self.settings | changed
        listed = settings["tables"]["listing"]
        return tables.all_tables(
            self.statistics if statistics is None else statistics,
            self.matrix,
            self.sources,
            flow=through_csv(self.flow),
            settings=settings,
            defaults=defaults(schema()),
            patients=through_csv(self.patients) if listed else None,
            changes=self.changes if listed else None,
        )


def schema() -> dict:
    path = ROOT / "workflow/schemas/config.schema.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@cache
def measured_table() -> pd.DataFrame:
    """Return what simulation measured of the methods, as it ships."""
    return measured.numbers(read_frame(ROOT / "workflow/validity.csv"))


@cache
def shipped(name: str) -> Study:
    """Return `config` (the synthetic example) or `published_case`."""
    settings = resolve(yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()), schema())
    for source in settings["sources"]:
        for table in ("patients", "lesions"):
            source[table] = str(ROOT / source[table])
    return analysed(settings)


def analysed(settings: dict, replicates: int = models.REPLICATES) -> Study:
    """Run every chapter up to the statistics, as the rules do."""
    threshold, rule = settings["criterion"]["threshold"], settings["criterion"]["rule"]
    read = cohort.ingest(
        [cohort.Source(**source) for source in settings["sources"]],
        threshold=threshold,
        rule=rule,
        on_problem=settings["on_problem"],
        covariates=settings["models"]["covariates"],
    )
    patients, lesions = through_csv(read.patients), through_csv(read.lesions)
    boundaries, seed = settings["surrogate"], settings["seed"]
    changes = transitions.patient_transitions(patients, lesions, threshold, rule, boundaries)
    lesion_changes = transitions.lesion_transitions(lesions, threshold, patients, boundaries)
    confirmatory = settings["confirmatory_sources"]
    plan = terms.Plan.of(settings["mib1_floor"], settings["models"])
    fitted, records = models.estimate(
        patients, lesions, through_csv(changes), confirmatory, plan, seed, replicates
    )
    curves, predicted = predictions.estimate(patients, records, plan, seed)
    alternatives = sensitivity.Settings(
        plan=plan, noise=settings["noise"], boundaries=boundaries, seed=seed,
        **settings["criterion"], **settings["sensitivity"],
    )  # fmt: skip
    rows = [
        describe_rows.estimate(patients, lesions),
        transition_rows.estimate(patients, changes, lesion_changes, confirmatory, boundaries, seed),
        bias_rows.estimate(patients, confirmatory, threshold, settings["noise"], seed),
        fitted,
        predicted,
        sensitivity.estimate(patients, lesions, through_csv(changes), confirmatory, alternatives),
    ]
    matrix = through_csv(transitions.matrix(patients))
    collected = statistics.combine([through_csv(part) for part in rows])
    collected = measured.gated(collected, measured_table())
    changes, lesion_changes = through_csv(changes), through_csv(lesion_changes)
    return Study(
        settings, read, changes, lesion_changes, matrix, collected, records, through_csv(curves)
    )


@cache
def without_patients() -> Study:
    """Return a study before its first patient."""
    with tempfile.TemporaryDirectory() as folder:
        return from_text(Path(folder), "patient_id,krenning_pre,krenning_post\n")


def through_csv(frame: pd.DataFrame) -> pd.DataFrame:
    """Write and read a table, as it passes from rule to rule."""
    with tempfile.TemporaryDirectory() as folder:
        write_frame(Path(folder) / "table.csv", frame)
        return read_frame(Path(folder) / "table.csv")


def from_text(folder: Path, patients: str, lesions: str | None = None, **settings) -> Study:
    """Analyse a study given as the text of its tables."""
    (folder / "patients.csv").write_text(patients, encoding="utf-8")
    source = {"name": "ward", "patients": str(folder / "patients.csv")}
    if lesions is not None:
        (folder / "lesions.csv").write_text(lesions, encoding="utf-8")
        source["lesions"] = str(folder / "lesions.csv")
    # One value of each sweep and few resamples: the whole is simulated for the studies that ship.
    noise = {"reliability": [0.8], "reader_error": [0.1]}
    given = {"study": "mine", "cut": "1", "sources": [source], "noise": noise} | settings
    return analysed(resolve(given, schema()), replicates=50)
