"""The STROBE checklist of a study: what the run answers, with where, and what is the author's.

Numbers come from `statistics.csv` and `flow.csv`. What a run cannot know (setting, ethics, funding,
the meaning of it all) is left to the author and says so; a default text in the manuscript is named
and does not count as an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from captem import rounding
from captem import table_parts as parts
from captem.captions import Numbers
from captem.lesions import RULE_WORDS
from captem.origin import RECORDED
from captem.statistics import ALL, CONFIRMATORY
from captem.strobe_items import ITEMS
from captem.wording import MODEL_WORDS

RUN, BOTH, AUTHOR, NOBODY = "run", "run and author", "author", "not applicable"
MASKED = "masked"
DOCUMENT = "manuscript/manuscript.docx"
UP = "transition.proportion/krenning/all/up"
GAINED = "criterion.gained/criterion/all"
PRIMARY = "model.krenning/krenning/all/log2_mib1"
PATIENTS = "describe.patients/characteristics/all"
_FOLLOW_UP_WORDS = {
    "first": "the first", "last": "the last", "nearest": "the nearest to the end of CAPTEM",
}  # fmt: skip
_NO_PATIENT = "no patient is recorded yet"
_NO_FOLLOW_UP = "no follow-up in these data"
_ONE_PATIENT = "one patient: a description, from which nothing is inferred"


@dataclass(frozen=True)
class Answer:
    """What is said to an item, where in the run's files, and who answers it."""

    says: str
    places: tuple[str, ...] = ()
    by: str = RUN


@dataclass(frozen=True)
class Run:
    """What the answers are made from.

    Parameters
    ----------
    statistics : `statistics.csv`.
    flow : `flow.csv`; an empty count is a masked one.
    settings : the resolved config.
    tables : names of the tables that the run has.
    figures : names of the figures that are drawn.
    sections : the headings of `manuscript.md`, in its order.
    """

    statistics: pd.DataFrame
    flow: pd.DataFrame
    settings: Mapping[str, Any]
    tables: Sequence[str] = ()
    figures: Sequence[str] = ()
    sections: Sequence[str] = ()
    stat: Numbers = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stat", Numbers(self.statistics))

    def known(self, row_id: str) -> bool:
        """Say whether there is such a row, of whatever status."""
        return bool(self.statistics["row_id"].eq(row_id).any())

    def said(self, row_id: str, kind: str) -> str:
        """Print a row as `share`, `ratio` or `told` of a caption, or why it has no number."""
        if self.stat.has(row_id):
            return str(getattr(self.stat, kind)(row_id))
        reason = self.stat.reason(row_id)
        return MASKED if reason.startswith(MASKED) else f"not estimable: {reason}"

    def shares(self, row_id: str) -> str:
        """Print a share of all patients; that of the confirmatory sources, if any, comes first."""
        own = row_id.replace(f"/{ALL}/", f"/{CONFIRMATORY}/").replace(f"/{ALL}", f"/{CONFIRMATORY}")
        everyone = self.said(row_id, "share")
        if not self.known(own):
            return everyone
        return f"{self.said(own, 'share')} of the confirmatory sources and {everyone} of all"

    def counted(self, step: str, reason: str = "") -> str:
        """Print how many patients a step of the flow counts."""
        rows = self.flow[self.flow["step"].eq(step) & self.flow["reason"].fillna("").eq(reason)]
        value = rows["n"].iloc[0]
        return MASKED if pd.isna(value) else str(int(value))

    def reasons(self, step: str) -> list[str]:
        """Print the reasons of a step with their patients, without those that concern nobody."""
        rows = self.flow[self.flow["step"].eq(step) & self.flow["reason"].ne("analysed")]
        return [f"{row['reason']}, {MASKED if pd.isna(row['n']) else int(row['n'])}"
                for row in rows.to_dict("records") if row["n"] != 0]  # fmt: skip

    def places(
        self, *, sections: Sequence[str] = (), tables: Sequence[str] = (),
        figures: Sequence[str] = (), files: Sequence[str] = (),
    ) -> tuple[str, ...]:  # fmt: skip
        """Return those of the places that this run has; a section is found by words of its name.

        The first heading with all of the words is taken.
        """
        headings = []
        for words in sections:
            found = [
                text
                for text in self.sections
                if all(word in text.lower() for word in words.split())
            ]
            headings += found[:1]
        return (
            *(f"{DOCUMENT}, {text}" for text in dict.fromkeys(headings)),
            *(f"tables/{name}.docx" for name in tables if name in self.tables),
            *(f"figures/{name}.pdf" for name in figures if name in self.figures),
            *files,
        )

    @property
    def empty(self) -> str:
        """Say why no result is there at all, or nothing."""
        if self.counted("included") == "0":
            return _NO_PATIENT
        followed = self.flow[self.flow["step"].eq("follow_up_pet")]
        seen = followed[followed["reason"].ne("no follow-up PET")]["n"]
        return _NO_FOLLOW_UP if seen.eq(0).all() else ""


def checklist(run: Run, data: str = RECORDED) -> parts.Table:
    """Return the checklist as a table: what is asked, who answers it, where, and the answer."""
    lines: list[parts.Row] = []
    for section in parts.in_order(item.section for item in ITEMS):
        lines.append(parts.Row((section, *("",) * 4), heading=True))
        for item in (item for item in ITEMS if item.section == section):
            found = ANSWERS[item.number](run)
            where = "; ".join(found.places) or rounding.EMPTY
            asks = f"{item.name}: {item.asks}"
            cells = (_numbered(item.number), asks, found.by, where, _sentence(found.says))
            lines.append(parts.Row(cells))
    notes = [
        "Cohort studies, items and parts as STROBE numbers them; the words are captem's own. The "
        "official checklist is that of the STROBE group; a journal may ask for its form.",
        "Answered by the run: the answer stands in the files named. By the author: the run cannot "
        "know it; where a section of the manuscript is named, what stands there is to be "
        "checked. Files are named from the folder of the results.",
    ]
    columns = ("Item", "What is asked", "Answered by", "Where", "What the run says")
    return parts.table(
        "strobe", "STROBE checklist for cohort studies", columns, lines, notes, data, wide=True,
        text_columns=(0, 1, 2, 3, 4),
    )  # fmt: skip


def headings(markdown: str) -> list[str]:
    """Return the headings of a manuscript in Markdown, each behind that of its part.

    >>> headings("---\\ntitle: x\\n---\\n# Methods {#m}\\n\\nText.\\n\\n## Setting\\n")
    ['Title', 'Methods', 'Methods: Setting']
    """
    front = re.match(r"---\n(.*?)\n---\n", markdown, re.DOTALL)
    found = ["Title"] if front and re.search(r"^title:", front[1], re.MULTILINE) else []
    part = ""
    for level, text in re.findall(r"^(#{1,6}) +(.+?) *#* *$", markdown, re.MULTILINE):
        name = re.sub(r"\s*\{[^{}]*\}\s*$|[*_`]", "", text).strip()
        if len(level) == 1:
            part = name
        found.append(name if len(level) == 1 or not part else f"{part}: {name}")
    return found


def _numbered(number: str) -> str:
    """Print the number of an item with its part in brackets."""
    digits = number.rstrip("abcde")
    return digits if digits == number else f"{digits} ({number[len(digits) :]})"


def _sentence(text: str) -> str:
    text = text.strip()
    return text and text[:1].upper() + text[1:].rstrip(".") + "."


def _author(*sections: str, says: str = "") -> Callable[[Run], Answer]:
    """Return the answer to an item that is the author's; a default text of it is named."""

    def answer(run: Run) -> Answer:
        places = run.places(sections=sections)
        standing = (
            "The manuscript has a place for it, to be checked and completed" if places else ""
        )
        return Answer(". ".join(filter(None, (says, standing))) or "the author's", places, AUTHOR)

    return answer


def _design(run: Run) -> Answer:
    sources = [row for row in run.statistics["row_id"]
               if row.startswith("describe.patients/characteristics/source_")]  # fmt: skip
    told = [f"{parts.source_words(row.rpartition('/')[2])} ({_patients(run, row)})"
            for row in sources]  # fmt: skip
    names = [source["name"] for source in run.settings["sources"]]
    planned = [name for name in run.settings["confirmatory_sources"] if name in names]
    says = "one group of patients, compared with themselves before and after CAPTEM, "
    says += "without a control group"
    if run.counted("included") == "1":
        says = _ONE_PATIENT
    says += f". Sources: {', '.join(told or names)}. "
    if planned:
        says += f"Confirmatory: {', '.join(planned)}; all else is exploratory"
    else:
        says += "No source is confirmatory: all results are exploratory"
    return Answer(says, run.places(sections=("method design",), files=("provenance.json",)), BOTH)


def _patients(run: Run, row_id: str) -> str:
    n = run.stat.row(row_id)["n_patients"]
    return MASKED if pd.isna(n) else f"n = {int(n)}"


def _participants(run: Run) -> Answer:
    chosen = _FOLLOW_UP_WORDS[run.settings["follow_up"]]
    says = (
        f"Where a patient has several follow-up PETs, {chosen} counts. Who is left out of which "
        "analysis, and why, is counted. How patients were found and chosen is the author's"
    )
    places = run.places(sections=("method participants",), figures=("flow",))
    return Answer(says, places, BOTH)


def _variables(run: Run) -> Answer:
    criterion, models = run.settings["criterion"], run.settings["models"]
    terms = ", ".join(name.replace("_", " ") for name in models["covariates"]) or "none"
    says = (
        "Outcomes: Krenning score (0 to 4), SUVmax, and SSTR criterion met: a score of "
        f"{rounding.measure(criterion['threshold'])} or higher, of matched lesions "
        f"{RULE_WORDS[criterion['rule']]}. Predictor: MIB1 index. CAPTEM cycles: an association "
        f"only. Held fixed: the baseline value; further covariates: {terms}"
    )
    return Answer(says, run.places(sections=("method variables",), files=("provenance.json",)))


def _measurement(run: Run) -> Answer:
    told = []
    for name in ("scanner", "tracer"):
        row = f"describe.{name}_changed/characteristics/all/yes"
        if run.known(row):
            told.append(f"{name} changed between the scans in {run.said(row, 'share')}")
    readers = "agreement.readers/krenning/all/follow_up"
    if run.known(readers) and run.stat.has(readers):
        told.append("two readers are compared")
    says = "; ".join(told) or "no scanner or tracer is given for both scans"
    says += ". How scans were made and read is the author's"
    places = run.places(sections=("method measure",), tables=("characteristics", "agreement"))
    return Answer(says, places, BOTH)


def _bias(run: Run) -> Answer:
    says = (
        "Follow-up is modelled given baseline; the gain expected from noise and selection alone "
        "stands beside the observed one; sensitivity analyses ask the question in other ways"
    )
    places = run.places(
        sections=("method bias",), tables=("noise", "sensitivity"),
        figures=("regression_to_mean", "sensitivity"),
    )  # fmt: skip
    return Answer(says, places)


def _size(run: Run) -> Answer:
    says = (
        f"Every patient recorded is counted: {run.counted('recorded')}. No size was computed "
        "by the run; why so many is the author's"
    )
    return Answer(says, run.places(sections=("method size",), figures=("flow",)), BOTH)


def _quantities(run: Run) -> Answer:
    floor = rounding.measure(run.settings["mib1_floor"], 2)
    says = (
        f"MIB1 index on the log2 scale (values below {floor}% count as {floor}%), SUVmax on the "
        "log2 scale, Krenning score as an ordered scale. Values written as intervals stay "
        "intervals, or count at their midpoint"
    )
    bent = ", ".join(name.replace("_", " ") for name in run.settings["models"]["splines"])
    says += f". Terms that may bend: {bent}" if bent else ""
    return Answer(says, run.places(sections=("method statistical",), files=("provenance.json",)))


def _methods(run: Run) -> Answer:
    says = "The method of each estimate, interval and P stands in its row"
    if not run.stat.has(PRIMARY):
        says += f". The primary model is {run.said(PRIMARY, 'told')}"
    places = run.places(
        sections=("method statistical",),
        tables=("transitions", "models"),
        files=("statistics.csv",),
    )
    return Answer(says, places)


def _subgroups(run: Run) -> Answer:
    own = run.statistics["subset"].eq("confirmatory").any()
    says = (
        "The confirmatory sources are analysed by themselves beside all patients; " if own else ""
    )
    says += "no interaction is tested"
    tables = ("transitions", "models") if own else ()
    return Answer(says, run.places(sections=("method statistical",), tables=tables))


def _missing(run: Run) -> Answer:
    says = "Each analysis rests on the patients who have what it needs"
    if run.stat.has(f"{PRIMARY}/imputed"):
        says += (
            ". The primary model is fitted with missing values imputed as well: "
            f"{run.said(f'{PRIMARY}/imputed', 'ratio')}"
        )
    return Answer(says, run.places(sections=("method statistical",), tables=("missing", "models")))


def _lost(run: Run) -> Answer:
    row = "sensitivity.not_rescanned/krenning/all/up/"
    lost = run.counted("follow_up_pet", "no follow-up PET")
    says = f"Without a follow-up PET: {lost}"
    if lost != "0" and run.known(f"{row}worst"):
        says += (
            f". Share whose uptake rose if all without a follow-up score fell, "
            f"{run.said(f'{row}worst', 'share')}; if all rose, {run.said(f'{row}best', 'share')}"
        )
    return Answer(says, run.places(sections=("method statistical",), tables=("sensitivity",)))


def _sensitivity(run: Run) -> Answer:
    says = (
        "the primary question in other patients, by other scores, lesions and readers, under other "
        "thresholds and rules, corrected for noise of the baseline, without each patient in turn, "
        "and with those not scanned again at their best and worst"
    )
    return Answer(says, run.places(sections=("method statistical",), tables=("sensitivity",)))


def _stages(run: Run) -> Answer:
    steps = (
        ("recorded", "recorded", ""),
        ("included", "included", ""),
        ("without a follow-up PET", "follow_up_pet", "no follow-up PET"),
        ("scored at both scans", "transition", "analysed"),
        ("in the primary model", "model.krenning", "analysed"),
    )
    says = "; ".join(f"{words}, {run.counted(step, reason)}" for words, step, reason in steps)
    return Answer(says, run.places(sections=("result participants",), figures=("flow",)))


def _left_out(run: Run) -> Answer:
    told = run.reasons("excluded") + run.reasons("transition") + run.reasons("model.krenning")
    says = "; ".join(dict.fromkeys(told)) or "nobody is left out"
    return Answer(says, run.places(sections=("result participants",), figures=("flow",)), BOTH)


def _diagram(run: Run) -> Answer:
    drawn = run.places(figures=("flow",))
    return Answer("it is drawn" if drawn else "it is not drawn", drawn, RUN if drawn else AUTHOR)


def _characteristics(run: Run) -> Answer:
    says = f"patients described: {_patients(run, PATIENTS)}"
    if run.empty == _NO_PATIENT:
        says = _NO_PATIENT
    places = run.places(
        sections=("result descriptive", "result characteristics"),
        tables=("characteristics", "lesions"),
    )
    return Answer(says, places, BOTH)


def _unknown(run: Run) -> Answer:
    told = []
    for name in ("krenning_pre", "krenning_post", "mib1", "captem_cycles"):
        row = f"describe.{name}/characteristics/all/missing"
        if run.known(row) and run.stat.has(row):
            words = parts.MEASURE_WORDS[name].removesuffix(", %")
            told.append(f"{words}, {run.said(row, 'share')}")
    says = f"missing: {'; '.join(told)}" if told else run.empty or MASKED
    return Answer(says, run.places(tables=("missing", "characteristics"), figures=("diagnostics",)))


def _time(run: Run) -> Answer:
    drawn = run.places(figures=("timeline",))
    says = "the scans of each patient are drawn in months; a summary is the author's"
    if not drawn:
        says = run.empty or "no dates to draw it from; the author's"
    return Answer(says, drawn, BOTH if drawn else AUTHOR)


def _outcomes(run: Run) -> Answer:
    says = run.empty or (
        f"uptake rose in {run.shares(UP)}; SSTR criterion gained, of those who did not meet it "
        f"before, in {run.shares(GAINED)}"
    )
    places = run.places(
        sections=("result uptake", "result outcome"), tables=("transition_matrix", "transitions"),
        figures=("transition_matrix", "alluvial"),
    )  # fmt: skip
    return Answer(says, places)


def _results(run: Run) -> Answer:
    says = run.empty or (
        "odds ratio of a higher follow-up score per doubling of MIB1, given the baseline score: "
        f"{run.said(PRIMARY, 'told')}. Without the baseline: rank correlations"
    )
    places = run.places(
        sections=("result goes with", "result model", "result main"),
        tables=("models", "associations"),
        figures=("forest",),
    )
    return Answer(says, places)


def _categories(run: Run) -> Answer:
    threshold = rounding.measure(run.settings["criterion"]["threshold"])
    says = f"the score is split at {threshold} for the SSTR criterion; MIB1 is not grouped"
    if run.statistics["analysis"].eq("sensitivity.who_grade").any():
        says += " but for one sensitivity analysis, by WHO grade"
    return Answer(says, run.places(sections=("method variables",), files=("provenance.json",)))


def _absolute(run: Run) -> Answer:
    says = run.empty
    if not says:
        says = (
            "probability of each follow-up score over the MIB1 index, as the primary model has it"
        )
        if not run.stat.has(PRIMARY):
            says = f"{MODEL_WORDS['model.krenning']}: {run.said(PRIMARY, 'told')}"
    return Answer(says, run.places(figures=("predicted",), files=("statistics.csv",)))


def _others(run: Run) -> Answer:
    ends = [
        f"sensitivity.leave_one_out/krenning/all/log2_mib1/{end}" for end in ("lowest", "highest")
    ]
    says = run.empty or "alternatives to the primary analysis, each in a line of its own"
    if not run.empty and all(run.known(row) and run.stat.has(row) for row in ends):
        low, high = (rounding.number(run.stat.row(row)["estimate"]) for row in ends)
        says += f"; without each patient in turn the odds ratio is {low} to {high}"
    places = run.places(
        sections=("result sensitivity", "result other"),
        tables=("sensitivity", "noise", "agreement"), figures=("sensitivity",),
    )  # fmt: skip
    return Answer(says, places)


ANSWERS: dict[str, Callable[[Run], Answer]] = {
    "1a": _author("title", says="the study compares patients before and after CAPTEM"),
    "1b": _author("abstract"),
    "2": _author("introduction"),
    "3": _author("introduction"),
    "4": _design,
    "5": _author("method setting"),
    "6a": _participants,
    "6b": lambda run: Answer("no patient is matched to another", by=NOBODY),
    "7": _variables,
    "8": _measurement,
    "9": _bias,
    "10": _size,
    "11": _quantities,
    "12a": _methods,
    "12b": _subgroups,
    "12c": _missing,
    "12d": _lost,
    "12e": _sensitivity,
    "13a": _stages,
    "13b": _left_out,
    "13c": _diagram,
    "14a": _characteristics,
    "14b": _unknown,
    "14c": _time,
    "15": _outcomes,
    "16a": _results,
    "16b": _categories,
    "16c": _absolute,
    "17": _others,
    "18": _author("discussion"),
    "19": _author("limitations"),
    "20": _author("discussion"),
    "21": _author("discussion"),
    "22": _author("other information", "funding"),
}
