"""Draw every figure of the example study from its results, in one Python process.

    python tools/draw_all.py RESULTS FOLDER

The yardstick of tools/bench_figures.py: the same functions in a row, the same files.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from captem import captions, figure_rows, origin, profiles  # noqa: E402
from captem.config import resolve  # noqa: E402
from captem.figures import export  # noqa: E402
from captem.files import read_frame, write_text  # noqa: E402
from captem.lesions import RULE_WORDS  # noqa: E402
from figure_data import FIGURES  # noqa: E402

TABLES = {
    "flow": "cohort/flow.csv",
    "eligibility": "cohort/eligibility.csv",
    "sources": "cohort/sources.csv",
    "patients": "cohort/patients.csv",
    "lesions": "cohort/lesions.csv",
    "changes": "transitions/transitions.csv",
    "lesion_changes": "transitions/lesions.csv",
    "matrix": "transitions/matrix.csv",
    "predictions": "predictions/curves.csv",
    "statistics": "statistics.csv",
}


def main(results: Path, out: Path) -> None:
    """Draw the figures of `results` into `out`, with their captions."""
    settings = resolve(_yaml("config/config.yaml"), _yaml("workflow/schemas/config.schema.yaml"))
    profile = profiles.resolve(settings["figures"], _yaml("workflow/figure_profiles.yaml"))
    frames = {name: read_frame(results / path) for name, path in TABLES.items()}
    models = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((results / "models").glob("*.json"))
    }
    study = SimpleNamespace(settings=settings, models=models, **frames)
    data = origin.data_kind(study.sources)
    criterion = settings["criterion"]
    for name, (module, rows_of) in FIGURES.items():
        stem = out / name
        rows = rows_of(study)
        files = SimpleNamespace(**{kind: f"{stem}.{kind}" for kind in (*export.FORMATS, "csv")})
        export.write(module, rows, files, profile, study.sources)
        text = captions.render(
            name,
            (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8"),
            study.statistics,
            data,
            figure_rows.as_written(rows),
            threshold=criterion["threshold"],
            rule_words=RULE_WORDS[criterion["rule"]],
        )
        write_text(f"{stem}.txt", text)


def _yaml(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
