"""Plans for the tests: one for the example study, locked on a day."""

from __future__ import annotations

import datetime as dt
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from captem import chain, plan
from captem.plan import Locked

ROOT = Path(__file__).parent.parent
DAY = dt.datetime(2022, 1, 10, 9, tzinfo=dt.UTC)
TEXT = """\
outcome: krenning
model: {name: model.krenning, terms: [krenning_pre, log2_mib1]}
confirmatory_sources: [prospective]
looks: {patients: [10, 22]}
"""


@cache
def schema() -> dict[str, Any]:
    text = (ROOT / "workflow/schemas/plan.schema.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def made(text: str = TEXT, **changed: Any) -> dict[str, Any]:
    """Return a plan with some keys other than in `TEXT`."""
    given = yaml.safe_load(text) | changed
    sources = ["retrospective", "prospective"]
    return plan.read(yaml.safe_dump(given), schema(), "my_plan.yaml", sources)


def locked(*versions: dict[str, Any], rows: list[dict[str, int]] | None = None) -> Locked:
    """Return the plan that is locked after these versions, with the rows there were at each."""
    versions = versions or (made(),)
    counts = rows or [{"retrospective": 36, "prospective": 0}] * len(versions)
    with tempfile.TemporaryDirectory() as folder:
        for number, (found, there) in enumerate(zip(versions, counts, strict=True)):
            plan.lock(folder, found, f"{number}" * 64, there, {}, "it was wiser" if number else "",
                      now=DAY + dt.timedelta(days=30 * number))  # fmt: skip
        entries = chain.checked(Path(folder) / chain.FOLDER)
        told = plan.locked(entries)
    assert told is not None
    return told
