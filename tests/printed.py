"""Which numbers a study may print: every form that its rows can take, rounded here on its own.

`Known` holds the printed forms of `statistics.csv`, `flow.csv`, `matrix.csv` and the settings;
`unexplained` reads a text and returns the numbers that are none of them. Nothing here uses
`captem.rounding`. What is a constant, and not a result, is in `CONSTANTS`, each with its reason.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from functools import cache, cached_property

import numpy as np
import pandas as pd
from captem.wording import TERM_WORDS

# A number as it is printed: no sign of a range, no digit of a name such as 68Ga or MIB1.
NUMBER = r"(?<![\w.])-?(?:\d+(?:\.\d+)?|\.\d+)(?![\w]|\.\d)"
_BOUND = rf"[<>]?{NUMBER}|[<>]-?\d+(?:\.\d+)?|-?∞"
_VALUE = rf"(?:{_BOUND})"
# Text that holds digits and no result: what stands there is always the same.
CONSTANTS = (
    (r"\b(?:95|97\.5)% (?=CI\b(?!,? [-<>.\d∞]))", "level of an interval, in a heading"),
    (r"\b(?:95|97\.5)% (?=confidence|bands?\b|interval|profile|Wald)", "level of intervals"),
    (r"where 95% of (?:the )?simulated studies", "the range of a simulation"),
    (r"with a 95%(?= band)", "level of a band"),
    (r"Shepherd 2012|Austin 2009|Dalton 2012", "a citation"),
    (r"from -1 to 1, with mean 0|around 0(?=;)|bend away from 0\b", "scale of residuals"),
    (r"from 30 patients on", "the size from which means are drawn"),
    (r"\(of 30\.4375 days\)", "the mean month"),
    (r"\(1 is twice, -1 is half\)", "the log2 scale"),
    (r"marks a ratio of 1\b|include[sd]? 1\b|at which it is 1\b", "no association"),
    (r"above liver 3, above spleen 4, else 0 to 2", "the derived score"),
    (r"\b7%-8%", "an example of an interval"),
    (r"1,000 times; with the 2\.5th and 97\.5th percentile", "the simulation of readings"),
    (r"P ≤ \.05(?! in \d)", "the level of tests"),
    (r"95% of (?=such studies:)", "the range of a simulation"),
    (r"a confidence of 95%", "the level of intervals"),
    (r"scores?,? \(?0 to 4\)", "the range of the Krenning score"),
    (r"\b(?:Table|Figure) \d+\b", "the number of a table or figure"),
    (r"\[\d+(?:[,–-]\d+)*\]", "a citation"),
    (r"appropriateness of PRRT was 0\.64 \(0\.57 to 0\.70\)", "Fendler 2017"),
    (r"metastatic grade 2 gastric", "the published case"),
    (r"\bKi-67\b", "the name of the index"),
    (r"\(0, none; 2, at most liver; 3, above liver; 4, above spleen\)", "the Krenning score"),
)  # fmt: skip
SCORES = tuple("01234")


def rounded(value: float, places: int) -> str:
    """Round half away from zero, as a reader would by hand; no minus before a zero."""
    exact = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return f"{abs(exact) if exact == 0 else exact:f}"


def significant(value: float, digits: int = 3) -> str:
    """Print three significant digits; what is beyond use is a bound."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    exact = Decimal(repr(float(value)))
    if exact == 0:
        return "0"
    if abs(exact) > 10000:
        return ">10000" if exact > 0 else "<-10000"
    if abs(exact) < Decimal("0.0001"):
        return "<0.0001" if exact > 0 else ">-0.0001"
    places = max(0, digits - 1 - exact.adjusted())
    once = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if once.adjusted() > exact.adjusted():
        places = max(0, places - 1)
    return rounded(value, places)


def bound(value: float) -> set[str]:
    """Return the forms of an end of an interval: more digits where it would look like 1."""
    found = {significant(value)}
    digits = 3
    while math.isfinite(value) and value != 1 and digits < 9:
        text = significant(value, digits).lstrip("<>")
        if Decimal(text) != 1:
            break
        digits += 1
        found = {significant(value, digits)}
    return found


def p_text(p: float) -> str:
    """Print P as the AMA has it, without a sign of equality: two digits, three below .01."""
    exact = Decimal(repr(float(p)))
    if exact < Decimal("0.001"):
        return "<.001"
    if exact == 1:
        return "1"
    if exact > Decimal("0.99"):
        return ">.99"
    for places in (3,) if exact < Decimal("0.01") else (2, 3, 4):
        text = rounded(p, places)
        if (exact < Decimal("0.05")) == (Decimal(text) < Decimal("0.05")):
            return text[1:]
    return "<.05"


def percent(events: int, n: int) -> str:
    """Print a share in percent by whole numbers alone."""
    tenths = 1 if n < 100 else 10
    whole = (2 * 100 * tenths * events + n) // (2 * n)
    return f"{whole}%" if tenths == 1 else f"{whole // 10}.{whole % 10}%"


def trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


@cache
def forms(value: float) -> frozenset[str]:
    """Return every form in which an estimate or an end of an interval may be printed."""
    if pd.isna(value):
        return frozenset()
    if math.isinf(value):
        return frozenset({significant(value)})
    found = {significant(value)} | bound(value)
    for places in (0, 1, 2):
        text, part = rounded(value, places), rounded(100 * value, places)
        found |= {text, trimmed(text), f"{part}%", f"{trimmed(part)}%"}
    return frozenset(found)


def row_forms(row: dict, name: str) -> frozenset[str]:
    """Return the forms of a number of a row; of a row that estimates P, those of P as well."""
    found = forms(row[name])
    if found and str(row["estimand"]).startswith("P of"):
        return found | {p_text(row[name])}
    return found


@dataclasses.dataclass(frozen=True)
class Known:
    """What a study may print."""

    statistics: pd.DataFrame
    flow: pd.DataFrame
    matrix: pd.DataFrame
    settings: dict

    @cached_property
    def rows(self) -> list[dict]:
        return self.statistics.to_dict("records")

    @cached_property
    def shares(self) -> set[tuple[str, str, str]]:
        found = set()
        for row in self.rows:
            sizes = [row[name] for name in ("n_patients", "n_lesions") if pd.notna(row[name])]
            if pd.notna(row["n_events"]):
                events = int(row["n_events"])
                found |= {(str(events), str(int(n)), percent(events, int(n))) for n in sizes if n}
        whole = int(self.flow.loc[self.flow["step"].eq("included"), "n"].sum())
        analysed = self.flow.loc[self.flow["reason"].eq("analysed"), "n"]
        if whole:
            found |= {(str(n), str(whole), percent(int(n), whole)) for n in analysed}
        return found

    @cached_property
    def estimates(self) -> list[tuple[frozenset[str], ...]]:
        """Return the forms of estimate, low and high of each row that has an interval."""
        names = ("estimate", "conf_low", "conf_high")
        return [tuple(row_forms(row, name) for name in names) for row in self.rows
                if pd.notna(row["conf_low"]) or pd.notna(row["conf_high"])]  # fmt: skip

    @cached_property
    def groups(self) -> list[set[str]]:
        """Return all forms of the rows that answer one question: its variants, its quartiles."""
        found: dict[tuple, set[str]] = {}
        for row in self.rows:
            key = (row["analysis"], row["outcome"], row["subset"])
            if not row["analysis"].startswith("describe."):
                key += (row["term"] if isinstance(row["term"], str) else "",)
            kept = found.setdefault(key, set())
            for name in ("estimate", "conf_low", "conf_high"):
                kept |= row_forms(row, name)
        return list(found.values())

    @cached_property
    def p_values(self) -> set[str]:
        names = ("p_value", "p_adjusted", "p_low", "p_high")
        return {p_text(row[name]) for row in self.rows for name in names if pd.notna(row[name])}

    @cached_property
    def counts(self) -> set[str]:
        names = ("n_patients", "n_lesions", "n_events")
        found = {str(int(row[name])) for row in self.rows for name in names if pd.notna(row[name])}
        for row in self.rows:
            # The numerator of (rose - fell) / n.
            if row["estimand"] == "net improvement" and pd.notna(row["estimate"]):
                found.add(rounded(row["estimate"] * row["n_patients"], 0))
        for name in ("n", "n_lesions"):
            found |= {str(int(value)) for value in self.flow[name].dropna()}
        return found

    @cached_property
    def numbers(self) -> set[str]:
        return {form for row in self.rows for form in row_forms(row, "estimate")}

    @cached_property
    def ends(self) -> set[str]:
        return {form for _, *ends in self.estimates for kept in ends for form in kept}

    @cached_property
    def asked(self) -> set[str]:
        """Return the numbers of the settings, and those in the names of rows that they gave."""
        found: set[str] = set()

        def look(value: object) -> None:
            if isinstance(value, dict):
                for part in value.values():
                    look(part)
            elif isinstance(value, list | tuple):
                for part in value:
                    look(part)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                found.update({f"{value:g}", f"{100 * value:g}", trimmed(rounded(value, 2))})

        look(self.settings)
        for row in self.rows:
            for text in re.findall(r"\d+(?:\.\d+)?", row["row_id"].replace("log2_mib1", "")):
                found |= {text, f"{float(text):g}"}
        return found

    @cached_property
    def verbatim(self) -> re.Pattern[str]:
        """Return what finds a text of statistics.csv: reasons, methods, units, names of rows."""
        texts = set()
        for name in ("reason", "p_method", "interval_method", "estimand", "unit", "term", "subset"):
            texts |= set(self.statistics[name].dropna().astype(str))
        texts |= set(self.flow["reason"].dropna().astype(str))
        # A reason may be of several sentences; what calibration measured is one of them.
        texts |= {part for text in texts for part in text.split("; ") if "docs/validity.md" in part}
        for text in list(texts):
            for name, words in TERM_WORDS.items():
                text = re.sub(rf"\b{name}\b", words, text)
            texts |= {text, text.replace("_", " ")}
            # Lines that differ only in how few patients they have share a sentence.
            texts |= {f"fewer than {least} effective observations per coefficient" for least
                      in re.findall(r"(?:fewer than|at least) ([\d.]+)(?!\d)", text)}  # fmt: skip
        kept = sorted((text.rstrip(".") for text in texts if re.search(r"\d", text)), key=len)
        found = "|".join(re.escape(text) for text in reversed(kept))
        return re.compile(rf"(?<!\w)(?:{found})(?!\w)" if kept else r"(?!)", re.IGNORECASE)

    def says(self, estimate: str, interval: str, p: str, n: str) -> bool:
        """Say whether one row makes all statements of a line: none of them from another row."""
        return any(_row_says(row, estimate, interval, p, n) for row in self.rows)

    def step(self, step: str, reason: str | None = None) -> int:
        """Return how many patients a step of the flow counts in all, or for one reason."""
        rows = self.flow[self.flow["step"].eq(step)]
        if reason is not None:
            rows = rows[rows["reason"].fillna("").eq(reason)]
        return int(rows["n"].sum())

    @property
    def patients(self) -> int:
        rows = self.statistics["row_id"].eq("describe.patients/characteristics/all")
        return int(self.statistics.loc[rows, "n_patients"].iloc[0])


def _row_says(row: dict, estimate: str, interval: str, p: str, n: str) -> bool:
    if share := re.fullmatch(r"(\d+)/(\d+) \((.+)\)", estimate):
        sizes = [row[name] for name in ("n_lesions", "n_patients") if pd.notna(row[name])]
        if pd.isna(row["n_events"]) or str(int(row["n_events"])) != share[1]:
            return False
        if str(int(sizes[0])) != share[2] or percent(int(share[1]), int(share[2])) != share[3]:
            return False
    elif size := re.fullmatch(r"n = (\d+)", estimate):
        if pd.notna(row["estimate"]) or row["n_patients"] != int(size[1]):
            return False
    elif re.search(r"\d", estimate) and estimate not in row_forms(row, "estimate"):
        return False
    ends = interval.split(" to ")
    if len(ends) == 2 and not (
        ends[0] in row_forms(row, "conf_low") and ends[1] in row_forms(row, "conf_high")
    ):
        return False
    if re.search(r"\d", p) and (pd.isna(row["p_value"]) or p_text(row["p_value"]) != p):
        return False
    if size := re.match(r"(\d+)(?: \((\d+) lesions\))?$", n):
        if row["n_patients"] != int(size[1]):
            return False
        if size[2] and row["n_lesions"] != int(size[2]):
            return False
    return True


def _in_row(known: Known, *parts: str) -> bool:
    return any(
        all(part in kept for part, kept in zip(parts, row, strict=True)) for row in known.estimates
    )


def _in_ends(known: Known, low: str, high: str) -> bool:
    return any(low in row[1] and high in row[2] for row in known.estimates)


def _in_group(known: Known, *parts: str) -> bool:
    return any(set(parts) <= group for group in known.groups)


def _points(known: Known, *parts: str) -> bool:
    """Say whether each part is the estimate, or an end of the interval, of a row."""
    return set(parts) <= known.numbers | known.ends


def _estimates(known: Known, *parts: str) -> bool:
    """Say whether each part is the estimate of a row: a range over several of them."""
    return set(parts) <= known.numbers


# Each kind of statement: how it is printed, and whether a row says so. The first that fits counts.
CLAIMS = (
    ("share", r"(\d+)/(\d+) \((\d+(?:\.\d)?%)\)", lambda k, *part: part in k.shares),
    ("interval", rf"({_VALUE}) \(9[57](?:\.5)?% CI, ({_VALUE}) to ({_VALUE})\)", _in_row),
    ("interval", rf"9[57](?:\.5)?% CI,? ({_VALUE}%?) to ({_VALUE}%?)", _in_ends),
    ("spread", rf"({_VALUE}) \(({_VALUE})–({_VALUE})\)", _in_group),
    ("spread", rf"({_VALUE}%?) \(({_VALUE}%?) to ({_VALUE}%?)\)", _in_group),
    ("P", r"\bP (?:= )?([<>]? ?(?:\.\d+|1\b))", lambda k, p: p.replace(" ", "") in k.p_values),
    ("flow", r"Of (\d+) recorded, (\d+) w(?:as|ere) left out",
     lambda k, *part: part == (str(k.step("recorded")), str(k.step("excluded")))),
    ("flow", r"of those included, (\d+) had a follow-up PET",
     lambda k, n: int(n) == k.patients - k.step("follow_up_pet", "no follow-up PET")),
    ("range", rf"odds ratios ({_VALUE}) to ({_VALUE})", _estimates),
    ("range", rf"those of the alternatives lie between ({_VALUE}) and ({_VALUE})", _estimates),
    ("range", rf"in turn(?:(?:, in order)?[:,] from| the odds ratio is) ({_VALUE}) to ({_VALUE})",
     _estimates),
    ("range", rf"(?:expected gains|selection alone,) ({_VALUE}) to ({_VALUE}) steps", _estimates),
    ("range", rf"band, ({_VALUE}) to ({_VALUE}), what interval scores", _estimates),
    ("range", rf"(?:The mean gain was|they are|and|observed:|by their own scores,|risen in)"
              rf" ({_VALUE}%?) to ({_VALUE}%?)(?= steps| times|\)| of patients)", _estimates),
    ("range", rf"alone would give (?:about |a mean gain of )?({_VALUE}) to ({_VALUE})", _estimates),
    ("range", rf"({_VALUE}) to ({_VALUE}) patients who gain the criterion", _estimates),
    ("range", rf"such studies: ({_VALUE}) to ({_VALUE})", _points),
    ("range", rf"\(({_VALUE}) to ({_VALUE}); here ({_VALUE}) by their own", _points),
    ("range", rf"P ≤ \.05 in ({_VALUE}%) to ({_VALUE}%) of such studies", _estimates),
    ("range", rf"by chance up to ({_VALUE})", _points),
    ("asked", r"reliability of (\d\.\d+) to (\d\.\d+)", lambda k, *part: set(part) <= k.asked),
    ("asked", r"swept \((\d\.\d+) to (\d\.\d+)", lambda k, *part: set(part) <= k.asked),
    ("P", r"P (?:open )?(?:from|between) ([<>]?\.\d+|1) (?:to|and) ([<>]?\.\d+|1)\b",
     lambda k, *ends: set(ends) <= k.p_values),
    ("n", r"\bn = (\d+)", lambda k, n: n in k.counts),
    ("asked", r"at least (\d+(?:\.\d+)?)(?= (?:mm|cycles|before))|"
              r"score (?:of )?(\d+(?:\.\d+)?)(?= or (?:higher|more))|from (\d+(?:\.\d+)?)% on|"
              r"[Rr]eliability (?:of )?(\d\.\d+)|off in (\d+(?:\.\d+)?)% of|"
              r"(?:at|index of) (\d+)%|changes below (\d+(?:\.\d+)?)%|At (\d+(?:\.\d+)?)%, ",
     lambda k, *part: next(text for text in part if text) in k.asked),
    ("asked", r"^[a-z_]+(?:\.[a-z0-9_]+)+: ([^:]*\d.*)$",
     lambda k, said: set(re.findall(r"\d+(?:\.\d+)?", said)) <= k.asked),
    ("interval", rf"({_VALUE}%?) to ({_VALUE}%?)", _in_ends),
    ("percent", rf"({NUMBER}%)", lambda k, text: text in k.numbers),
    ("score", r"\b(?:Baseline|Follow-up|score|Score) ([0-4])\b", lambda k, s: s in SCORES),
    ("number", rf"([<>]?{NUMBER})", lambda k, text: text in k.numbers | k.counts),
)  # fmt: skip


def unexplained(text: str, known: Known, also: Iterable[str] = ()) -> list[str]:
    """Return the statements with numbers that no row makes, in the order of their kinds.

    Parameters
    ----------
    also : further texts, as patterns, that hold numbers of their own.
    """
    text = text.replace("\u00a0", " ")
    for pattern in also:
        text = re.sub(pattern, " ", text)
    text = known.verbatim.sub(" ~ ", text)
    for pattern, _ in CONSTANTS:
        text = re.sub(pattern, " ", text)
    wrong = []
    for kind, pattern, holds in CLAIMS:

        def judge(found: re.Match, kind: str = kind, holds=holds) -> str:
            if not holds(known, *found.groups()):
                wrong.append(f"{kind}: {found.group()}")
            return " ~ "

        text = re.sub(pattern, judge, text)
    return wrong


def scrambled(statistics: pd.DataFrame, seed: int = 7) -> pd.DataFrame:
    """Return the same rows with numbers of their own: a number that is printed shows its row.

    Counts have four or five digits and estimates four, none twice. Zero, one and missing stay as
    they are, so that the same sentences are written.
    """
    rng = np.random.default_rng(seed)
    table = statistics.copy()
    sizes = iter(rng.permutation(np.arange(10000, 99999)))
    events = iter(rng.permutation(np.arange(2000, 9999)))
    values = iter(rng.permutation(np.arange(10000, 99999)) / 10 + 0.03)
    for i in table.index:
        row = table.loc[i]
        for name, stock in (("n_patients", sizes), ("n_lesions", sizes), ("n_events", events)):
            if pd.notna(row[name]) and row[name] > 1:
                table.loc[i, name] = int(next(stock))
        for name in ("estimate", "conf_low", "conf_high"):
            if pd.notna(row[name]) and math.isfinite(row[name]) and row[name] != 0:
                table.loc[i, name] = math.copysign(float(next(values)), row[name])
        if row["estimand"] == "proportion" and pd.notna(row["estimate"]):
            n = (
                table.loc[i, "n_patients"]
                if pd.isna(row["n_lesions"])
                else table.loc[i, "n_lesions"]
            )
            table.loc[i, "estimate"] = table.loc[i, "n_events"] / n if n else row["estimate"]
        if pd.notna(row["p_value"]):
            ends = np.sort(rng.uniform(0.051, 0.98, 3))
            for name, p in zip(("p_low", "p_value", "p_adjusted"), ends, strict=True):
                if pd.notna(row[name]):
                    table.loc[i, name] = p
            if pd.notna(row["p_high"]):
                table.loc[i, "p_high"] = table.loc[i, "p_value"]
    return table
