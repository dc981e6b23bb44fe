"""The answer says what `statistics.csv` says: the short one, the long one and the caveats."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from captem import rounding, statistics
from captem.summary_answer import NOBODY, answer
from captem.summary_caveats import caveats
from captem.summary_figures import sentence
from captem.summary_lead import NO_COMPARISON, lead
from figure_data import FIGURES
from studies import Study, from_text, shipped, without_patients

PAIRS = "patient_id,krenning_pre,krenning_post\n"
# Names of methods, and words that a clinician need not know, are for below the first screen.
JARGON = (
    "Wilson", "Clopper", "McNemar", "Wilcoxon", "Tango", "Newcombe", "Hodges", "sign test",
    "signed-rank", "likelihood", "bias-reduced", "penal", "proportional odds", "odds",
    "regression model", "HC3", "bootstrap", "CI", "P =", "P <", "confidence interval",
    "reliability",
)  # fmt: skip
NUMBERS = ["estimate", "conf_low", "conf_high", "statistic", "df", "p_value", "p_low", "p_high",
           "p_adjusted"]  # fmt: skip


def _short(frame: pd.DataFrame) -> list[str]:
    found = lead(frame)
    return [found.headline, *found.further]


def _everything(frame: pd.DataFrame) -> list[str]:
    return [
        *_short(frame),
        *answer(frame),
        *(f"{caveat.head}. {caveat.text}" for caveat in caveats(frame)),
        *(sentence(name, frame) for name in FIGURES),
    ]


def _masked(frame: pd.DataFrame, rows: pd.Series, with_n: bool) -> pd.DataFrame:
    """Mask rows as `captem.disclosure` does: no number, and the reason why."""
    frame = frame.copy()
    frame.loc[rows, NUMBERS] = np.nan
    frame.loc[rows, ["n_events", *(["n_patients", "n_lesions"] if with_n else [])]] = pd.NA
    frame.loc[rows, "status"] = "not_estimable"
    frame.loc[rows, "reason"] = "masked: a small count"
    return frame


def _numbers_of(frame: pd.DataFrame) -> set[str]:
    """Return every number that a sentence may print, from the rows alone."""
    found = set()
    for row in frame.to_dict("records"):
        n, events = row["n_patients"], row["n_events"]
        found |= {str(value) for value in (n, events, row["n_lesions"]) if pd.notna(value)}
        if pd.notna(n) and pd.notna(events) and n:
            found.add(rounding.percent(int(events), int(n)))
            if pd.notna(row["n_lesions"]):
                found.add(rounding.percent(int(events), int(row["n_lesions"])))
        if pd.notna(row["conf_level"]):
            found.add(rounding.level(row["conf_level"]))
            ends = (row["conf_low"], row["conf_high"])
            text = rounding.interval(*ends)
            if all(abs(end) < 1e6 for end in ends):
                text += " " + rounding.percent_interval(*ends, int(n))
            found |= set(re.findall(r"[\d.]+%?", text))
        if pd.notna(row["estimate"]):
            value = row["estimate"]
            shown = [value, row["conf_low"], row["conf_high"]]
            found |= {rounding.fixed(abs(v), places) for v in shown if pd.notna(v)
                      for places in (0, 1, 2) if abs(v) < 1e6}  # fmt: skip
            found.add(rounding.number(value))
            if abs(value) < 1e6:
                found |= {f"{rounding.fixed(100 * value, places)}%" for places in (0, 1)}
        if pd.notna(row["p_value"]):
            found |= set(re.findall(r"[\d.]+", rounding.p_value(row["p_value"])))
        found |= set(re.findall(r"(?<=reliability_)[\d.]+", str(row["term"])))
        found |= {f"{text}%" for text in re.findall(r"(?<=_at_mib1_)[\d.]+", str(row["term"]))}
        found |= set(re.findall(r"(?<=score_)\d", str(row["term"])))
        found |= set(re.findall(r"[\d.]*\d", str(row["reason"])))
    # The level of the tests, as in "P <= .05", and the ends of the score.
    return found | {".05", "0", "4"}


def _check_numbers(frame: pd.DataFrame) -> None:
    allowed = _numbers_of(frame)
    for said in _everything(frame):
        words = said.replace("MIB1", "")
        numbers = {text.rstrip(".") for text in re.findall(r"\.?\d[\d.]*%?", words)}
        assert numbers <= allowed, said


def test_every_number_of_the_answer_is_a_row_of_statistics(study: Study) -> None:
    _check_numbers(study.statistics)


def test_a_number_that_is_no_row_is_found(synthetic: Study, monkeypatch) -> None:
    monkeypatch.setattr("captem.summary_lead.NO_COMPARISON", "All 7777 agree.")
    with pytest.raises(AssertionError):
        _check_numbers(synthetic.statistics)


def test_the_short_answer_of_the_example(synthetic: Study) -> None:
    """What may be claimed comes first, and what noise alone would give stands beside it."""
    found = lead(synthetic.statistics)
    assert found.headline == (
        "Of 24 patients from sources planned ahead, 22 were scanned again and scored at both "
        "scans. Of 18 below the SSTR criterion, 4 newly met it: 22% (likely range 9% to 45%). "
        "Noise and the choice of patients alone would give about 2 to 5 (by chance up to 9), so "
        "this can be noise alone."
    )
    assert found.further[0] == (
        "Uptake rose in 12 of 22 patients, stayed the same in 9 and fell in 1. The mean gain was "
        "0.64 to 0.68 steps of the Krenning score (0 to 4), where noise and the choice of patients "
        "alone would give 0.08 to 0.32, so noise alone may give this, unless a score repeats "
        "itself well, which is not known."
    )
    assert "so few patients" in found.further[1]
    assert found.further[2].startswith(
        "All sources together, on which no claim may rest: 54 of 60 patients were scored at both "
        "scans. Of 42 below the SSTR criterion, 12 newly met it: 29% (likely range 17% to 46%; in "
        "1 the scores leave it open)."
    )
    assert "counted by the patients' own scores, by which 13 newly met it" in found.further[2]
    assert found.further[-1] == NO_COMPARISON and found.range_said


def test_the_long_answer_of_the_example(synthetic: Study) -> None:
    said = answer(synthetic.statistics)
    assert said[0] == (
        "Of 60 patients, 54 were scanned again and scored at both scans. In 29 uptake rose (54%; "
        "95% CI 41% to 68%), in 20 it stayed the same, in 3 it fell and in 2 the scores leave it "
        "open. The share that rose minus the share that fell is 48% (95% CI 28% to 64%; P < .001). "
        "SUVmax was 1.66 times that of baseline (95% CI 1.46 to 1.91; P < .001)."
    )
    assert said[3] == (
        "Of all 42 who did not meet the SSTR criterion before, 12 met it after "
        "(29%; 95% CI 17% to 46%); in 1 the scores leave it open, and the interval allows for it."
    )
    # What may be claimed comes before what is exploratory.
    assert "planned ahead" in said[1] and "22" in said[1]
    # Beside the primary result: what would have come without any effect.
    assert said[2].startswith(
        "Had the treatment done nothing in the patients of these sources, noise"
    )
    assert (
        "0.08 to 0.32 steps (95% of such studies: -0.27 to 0.82; observed: 0.64 to 0.68)" in said[2]
    )
    assert "here 4 by their own scores, which noise alone may give" in said[2]
    assert "assumes that the patients screened had each score equally often" in said[2]


def _set(frame: pd.DataFrame, row_id: str, **values) -> pd.DataFrame:
    frame = frame.copy()
    assert frame["row_id"].eq(row_id).sum() == 1
    for name, value in values.items():
        frame.loc[frame["row_id"].eq(row_id), name] = value
    return frame


def test_the_answer_follows_the_statistics(synthetic: Study) -> None:
    frame = _set(synthetic.statistics, "criterion.gained/criterion/all", n_events=7)
    assert "before, 7 met it after (17%" in answer(frame)[3]
    assert "7 newly met it: 17%" in lead(frame).further[2]
    frame = _set(synthetic.statistics, "criterion.gained/criterion/confirmatory", n_events=3)
    assert "3 newly met it: 17%" in lead(frame).headline


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        (4.0, "so this can be noise alone"),
        (7.0, "so noise alone may give this, unless a score repeats itself well"),
        (12.0, "so this is more than noise alone usually gives."),
    ],
)
def test_what_was_seen_is_held_against_what_noise_gives(synthetic: Study, seen, verdict) -> None:
    """The upper ends of what noise gives are 9 at a reliability of 0.5 to 5 at 0.9."""
    name = "bias.no_effect/criterion/confirmatory/observed"
    frame = _set(synthetic.statistics, name, estimate=seen)
    frame = _set(frame, "criterion.gained/criterion/confirmatory", n_events=int(seen))
    assert verdict in lead(frame).headline


@pytest.mark.parametrize(
    ("low", "high", "role", "status", "words"),
    [
        (1.2, 3.0, "primary", "ok", "those with a higher MIB1 index had higher scores"),
        (1.2, 3.0, "exploratory", "ok", "an exploratory finding"),
        (0.8, 3.0, "primary", "ok", "stays open"),
        (1.2, 3.0, "primary", "unstable", "so few patients"),
    ],
)
def test_the_mib1_index_in_one_sentence(synthetic, low, high, role, status, words) -> None:
    name = "model.krenning/krenning/confirmatory/log2_mib1"
    frame = _set(synthetic.statistics, name, conf_low=low, conf_high=high, role=role, status=status)
    (said,) = [text for text in lead(frame).further if "MIB1" in text]
    assert words in said


def test_the_first_screen_names_no_method(study: Study) -> None:
    said = " ".join(_short(study.statistics))
    said += " ".join(caveat.text for caveat in caveats(study.statistics)[:3])
    for name in JARGON:
        assert not re.search(rf"\b{re.escape(name.lower())}\b", said.lower()), name


def test_one_patient_is_described_and_nothing_inferred() -> None:
    said = answer(shipped("published_case").statistics)
    assert said == [
        "One patient is reported: uptake rose. The SSTR criterion was not met before and was met "
        "after.",
        "Nothing can be inferred from one patient about others.",
    ]
    assert _short(shipped("published_case").statistics) == said


def test_no_patient_is_said_so() -> None:
    nobody = without_patients()
    empty = statistics.frame([])
    for frame in (nobody.statistics, empty):
        assert answer(frame) == [NOBODY] == _short(frame)
        assert caveats(frame) == []


def test_patients_without_a_second_scan_only() -> None:
    frame = statistics.frame(
        [statistics.row("describe.patients", "characteristics", "all", "proportion",
                        n_patients=4, n_events=4, estimate=1.0)]
    )  # fmt: skip
    assert "none has a Krenning score at both scans" in answer(frame)[0]


def test_nobody_was_scanned_again(tmp_path) -> None:
    frame = from_text(tmp_path, PAIRS + "a,1,\nb,2,\n").statistics
    assert _short(frame) == [
        "Of 2 patients, none has a Krenning score at both scans: how the score changed cannot be "
        "said."
    ]
    assert caveats(frame)[0].head == "Nobody was scored twice"


def test_nobody_was_below_the_criterion(tmp_path) -> None:
    frame = from_text(tmp_path, PAIRS + "a,3,4\nb,4,3\nc,3,3\n").statistics
    headline = lead(frame).headline
    assert headline == (
        "All 3 patients were scanned again and scored at both scans. All 3 met the SSTR criterion "
        "before already, so none could newly meet it."
    )
    assert "newly met it" not in " ".join(_everything(frame)).replace(headline, "")


def test_interval_scores_are_said_to_leave_it_open(tmp_path) -> None:
    rows = "a,1,3\nb,2,2-3\nc,2,3\nd,0,1\n"
    headline = lead(from_text(tmp_path, PAIRS + rows).statistics).headline
    assert "Of 4 below the SSTR criterion, 2 newly met it: 50%" in headline
    assert "in 1 the scores leave it open" in headline


def test_one_scored_of_several_patients(tmp_path) -> None:
    frame = from_text(tmp_path, PAIRS + "a,1,3\nb,2,\n").statistics
    assert lead(frame).headline.startswith("Of 2 patients, one was scored at both scans: uptake")


def test_a_confirmatory_source_without_pairs_carries_no_claim(synthetic: Study) -> None:
    frame = synthetic.statistics
    frame = _set(frame, "transition.proportion/krenning/confirmatory/up", n_patients=0)
    said = _short(frame)
    assert said[0].startswith("Of 60 patients, 54 were scanned again")
    assert any("nothing yet on which a claim may rest" in text for text in said)


def test_the_caveats_are_those_of_the_cohort(synthetic: Study) -> None:
    found = {caveat.head: caveat for caveat in caveats(synthetic.statistics)}
    assert "PRRT in 4 and embolisation in 3" in found["Other treatment between the scans"].text
    assert found["Not everyone was scored twice"].n == 6
    assert found["Somatostatin analogue changed"].n == 7
    assert found["Patients with low uptake"].n == 42
    assert "A single arm does not show a drug effect." in found["One group only"].text
    assert "necessary for PRRT and not sufficient" in found["Uptake is not benefit"].text
    assert "48% to 62% of patients" in found["Not everyone was scored twice"].text
    assert "Not recorded" not in found and "Very few patients" not in found


def test_what_could_overturn_the_answer_comes_first_then_most_patients(study: Study) -> None:
    found = caveats(study.statistics)
    order = [(not caveat.overturns, -caveat.n) for caveat in found]
    assert order == sorted(order)
    heads = [caveat.head for caveat in found]
    if found:
        # What is true of every such study is not of this cohort, and comes last.
        assert heads[-2:] == ["One group only", "Uptake is not benefit"]


def test_low_uptake_comes_first_only_where_noise_may_give_what_was_seen(synthetic: Study) -> None:
    assert caveats(synthetic.statistics)[0].overturns
    name = "bias.no_effect/criterion/confirmatory/observed"
    frame = _set(synthetic.statistics, name, estimate=12.0)
    assert not any(caveat.overturns for caveat in caveats(frame))


def test_what_was_never_recorded_is_a_caveat() -> None:
    found = {caveat.head: caveat for caveat in caveats(shipped("published_case").statistics)}
    assert "other treatment between the scans" in found["Not recorded"].text
    assert "Other treatment between the scans" not in found
    assert found["Exploratory"].n == 1 and "One patient only" in found


def test_a_caveat_goes_when_its_count_is_zero(synthetic: Study) -> None:
    frame = synthetic.statistics.copy()
    frame.loc[frame["analysis"].eq("describe.scanner_changed"), "n_events"] = 0
    assert "Scanner changed" not in {caveat.head for caveat in caveats(frame)}


def test_the_smallest_studies_have_a_true_sentence_each(tmp_path) -> None:
    for n in range(1, 6):
        rows = "".join(f"{i},{i % 3},{(i + 1) % 4}\n" for i in range(n))
        frame = from_text(tmp_path, PAIRS + rows).statistics
        _check_numbers(frame)
        assert not [text for text in _everything(frame) if "nan" in text.lower() or "  " in text]


# Masked statistics


def _clean(frame: pd.DataFrame) -> None:
    for text in _everything(frame):
        assert not re.search(r"\bnan\b|<NA>|  |masked:|\(\)|None", text), text


@pytest.mark.parametrize("with_n", [False, True])
def test_everything_masked_is_said_and_no_number_is_left(synthetic: Study, with_n: bool) -> None:
    frame = _masked(synthetic.statistics, synthetic.statistics["row_id"].notna(), with_n)
    _clean(frame)
    said = " ".join(_everything(frame)).replace("(0 to 4)", "").replace("MIB1", "")
    assert "masked" in said
    if with_n:
        assert not re.search(r"\d", said)


def test_each_analysis_masked_by_itself(synthetic: Study) -> None:
    """What is not masked is still said, and what is masked is not."""
    frame = synthetic.statistics
    # Those that a sentence is made of.
    made_of = (
        r"describe\.(patients|captem|krenning|interval|ssa|scanner)|bias|criterion\.(before|gained)|"
        r"transition\.(prop|signed|net|sign_|suvmax)|model\.krenning$|predicted\.krenning|"
        r"sensitivity\.(leave|not_resc)"
    )
    asked = [name for name in sorted(set(frame["analysis"])) if re.match(made_of, name)]
    assert len(asked) > 15
    for analysis in asked:
        _clean(_masked(frame, frame["analysis"].eq(analysis), with_n=True))


def test_a_masked_count_stands_in_no_sentence(synthetic: Study) -> None:
    frame = synthetic.statistics
    small = frame["n_events"].between(1, 4) | frame["row_id"].str.contains("criterion/.*/observed")
    hidden = _masked(frame, small, with_n=False)
    _clean(hidden)
    assert "a masked number newly met it. Noise" in lead(hidden).headline
    assert "so this" not in lead(hidden).headline
    assert "fell in a masked number" in sentence("transition_matrix", hidden)
    assert "PRRT in a masked number" in " ".join(c.text for c in caveats(hidden))
    few = {"Very few patients", "Few changes", "Not recorded"}
    assert not few & {caveat.head for caveat in caveats(hidden)}


# A sentence a figure


def test_every_figure_has_a_sentence(study: Study) -> None:
    for name in FIGURES:
        said = sentence(name, study.statistics)
        assert said.endswith(".") and not said.endswith("..") and said[0].isupper()
        assert "_" not in said and "nan" not in said
        for word in JARGON:
            if word != "odds":
                assert word.lower() not in said.lower().split(": ")[0]
    with pytest.raises(KeyError):
        sentence("no_such_figure", study.statistics)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flow", "Of 60 patients, 54 can be compared before and after; the question of the MIB1 "
         "index is asked of 50."),
        ("transition_matrix", "Uptake rose in 29 of 54 patients, stayed the same in 20 and fell in "
         "3; in 2 the scores leave it open."),
        (
            "alluvial",
            "The bands that rise hold 29 of 54 patients, those that fall 3, the level ones 20; "
            "in 2 the scores leave it open.",
        ),
        ("waterfall", "SUVmax at follow-up was 1.66 times that of baseline in the typical patient "
         "(of 54), which is exploratory."),
        ("gain_by_mib1", "The expected gain is -0.04 steps at a MIB1 index of 3% and 1.31 steps at "
         "50%, which is exploratory."),
        ("predicted", "The chance of the highest score (score 4) is 4% at a MIB1 index of 3% and "
         "33% at 50%, which is exploratory."),
        ("timeline", "Half of the patients had 7 or more CAPTEM cycles and 54 of 60 patients were "
         "scored at a second scan."),
        ("sensitivity", "With each doubling of the MIB1 index, the odds of a higher score at "
         "follow-up were 2.28 times as large, and 1.31 to 4.15 times when asked in other ways, "
         "which is exploratory."),
        ("regression_to_mean", "The mean gain was 0.63 to 0.78 steps; noise and the choice of "
         "patients alone would give 0.06 to 0.22, by how well a score repeats itself."),
    ],
)  # fmt: skip
def test_the_sentences_of_the_example(synthetic: Study, name: str, said: str) -> None:
    assert sentence(name, synthetic.statistics) == said


def test_the_confirmatory_result_comes_first_in_the_sentence_of_the_forest(synthetic) -> None:
    said = sentence("forest", synthetic.statistics)
    assert said.index("1.72 times as large in the sources planned ahead") < said.index("2.28")
    assert "0.669 to 4.43, which is uncertain" in said


def test_sentences_of_one_patient_speak_of_the_patient() -> None:
    frame = shipped("published_case").statistics
    assert sentence("transition_matrix", frame) == (
        "Uptake rose in the one patient scored at both scans."
    )
    assert sentence("waterfall", frame) == (
        "SUVmax at follow-up was 1.26 times that of baseline in the typical lesion (of 1)."
    )
    assert "only one patient has all that the model needs" in sentence("forest", frame)


def test_sentences_without_a_patient_claim_nothing() -> None:
    frame = without_patients().statistics
    for name in FIGURES:
        assert not re.search(r"\d(?!( are needed|\D*$))", sentence(name, frame).replace("MIB1", ""))


def test_a_sentence_follows_the_statistics(synthetic: Study) -> None:
    frame = _set(synthetic.statistics, "transition.proportion/krenning/all/up", n_events=17)
    assert "Uptake rose in 17 of 54" in sentence("transition_matrix", frame)
