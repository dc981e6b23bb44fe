"""A synthetic cohort in the shape of a clinic's sheets. No row describes a real person.

No public table of patients before and after CAPTEM exists, so the example study runs on invented
ones. Every number behind them is a field of `Parameters`, and every file opens with all of them.
The patients as they truly are (`Patient`, `Lesion`) are drawn first; only then are they written
down as a clinic would, some of them awkwardly, so that a test can hold the one against the other.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Annotated, Any, get_type_hints

import numpy as np

from captem.errors import CaptemError

DEFAULT_PATIENTS = 60
DEFAULT_SEED = 2020

RETROSPECTIVE = "retrospective"
PROSPECTIVE = "prospective"

Shares = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Parameters:
    """Every number of the generator, with its meaning. All are invented unless it says otherwise.

    Where a share is a share of patients or lesions, the nearest whole number of them is picked.
    """

    # Who is in the cohort
    retrospective_share: Annotated[float, "share of patients in the retrospective source"] = 0.6
    age_mean: Annotated[float, "mean age in years"] = 59.0
    age_sd: Annotated[float, "standard deviation of age in years"] = 11.0
    age_min: Annotated[int, "youngest age; younger draws are set to it"] = 25
    age_max: Annotated[int, "oldest age; older draws are set to it"] = 85
    female_share: Annotated[float, "chance that a patient is female"] = 0.5
    primary_sites: Annotated[Shares, "chance of each primary site"] = (
        ("pancreas", 0.4),
        ("small bowel", 0.2),
        ("stomach", 0.12),
        ("rectum", 0.1),
        ("lung", 0.1),
        ("unknown", 0.08),
    )
    mib1_median: Annotated[float, "median of the lognormal MIB1 index in percent"] = 9.0
    mib1_log_sd: Annotated[float, "standard deviation of the natural logarithm of MIB1"] = 0.75
    mib1_min: Annotated[int, "lowest MIB1 in percent; lower draws are set to it"] = 1
    mib1_max: Annotated[int, "highest MIB1 in percent; higher draws are set to it"] = 60
    g2_from_mib1: Annotated[int, "WHO limit, not invented: below this MIB1 the grade is G1"] = 3
    g3_above_mib1: Annotated[int, "WHO limit, not invented: above this MIB1 the grade is G3"] = 20

    # Treatment and dates
    cycles_mean: Annotated[float, "mean number of CAPTEM cycles before the follow-up PET"] = 7.0
    cycles_sd: Annotated[float, "standard deviation of the number of cycles"] = 2.5
    cycles_min: Annotated[int, "fewest cycles; fewer are set to it"] = 2
    cycles_max: Annotated[int, "most cycles; more are set to it"] = 12
    cycle_days: Annotated[int, "days from one cycle to the next, not invented"] = 28
    treated_days: Annotated[int, "days of capecitabine in a cycle, not invented"] = 14
    retrospective_start: Annotated[str, "first CAPTEM start of the retrospective"] = "2014-02-03"
    prospective_start: Annotated[str, "first CAPTEM start of the prospective"] = "2023-03-06"
    retrospective_days: Annotated[int, "days over which retrospective patients start"] = 2700
    prospective_days: Annotated[int, "days over which prospective patients start"] = 850
    pet_before_min: Annotated[int, "fewest days from baseline PET to the start of CAPTEM"] = 5
    pet_before_max: Annotated[int, "most days from baseline PET to the start of CAPTEM"] = 60
    pet_after_min: Annotated[int, "fewest days from the end of CAPTEM to the follow-up PET"] = 14
    pet_after_max: Annotated[int, "most days from the end of CAPTEM to the follow-up PET"] = 90

    # Latent uptake, in Krenning steps
    low_share: Annotated[
        float, "share of the low part of the baseline mix: patients are chosen for low uptake"
    ] = 0.8
    low_mean: Annotated[float, "mean baseline latent uptake of the low part, in steps"] = 1.4
    low_sd: Annotated[float, "its standard deviation between patients"] = 0.6
    high_mean: Annotated[float, "mean baseline latent uptake of the high part, in steps"] = 2.9
    high_sd: Annotated[float, "its standard deviation between patients"] = 0.5
    lesion_baseline_sd: Annotated[
        float, "lesion noise: standard deviation of baseline between the lesions of a patient"
    ] = 0.45
    gain_mean: Annotated[
        float, "invented effect: mean latent gain in steps at the reference MIB1 and cycles"
    ] = 0.6
    gain_per_mib1_doubling: Annotated[
        float, "invented effect: steps of latent gain added by each doubling of MIB1"
    ] = 0.3
    mib1_reference: Annotated[float, "MIB1 in percent at which the mean gain holds"] = 10.0
    gain_per_cycle: Annotated[
        float, "invented association: steps of latent gain that go with each further cycle"
    ] = 0.05
    cycles_reference: Annotated[float, "number of cycles at which the mean gain holds"] = 6.0
    gain_patient_sd: Annotated[
        float, "patient random effect: standard deviation of the gain between patients, in steps"
    ] = 0.4
    gain_lesion_sd: Annotated[
        float, "lesion noise: standard deviation of the gain between the lesions of a patient"
    ] = 0.3
    reader_sd: Annotated[
        float, "reader noise: standard deviation in steps, anew for each lesion and scan"
    ] = 0.3

    # SUVmax, liver and spleen
    liver_latent: Annotated[
        float, "latent uptake as bright as the liver: where rounding parts score 2 from score 3"
    ] = 2.5
    suv_doublings_per_step: Annotated[
        float, "invented relation: doublings of SUVmax for each step of latent uptake"
    ] = 1.2
    suv_log2_sd: Annotated[
        float, "measurement noise of a lesion SUVmax, standard deviation in doublings"
    ] = 0.15
    suv_min: Annotated[float, "lowest SUVmax written; lower draws are set to it"] = 0.1
    liver_median: Annotated[float, "median liver SUVmax without a somatostatin analogue"] = 8.5
    liver_log2_sd: Annotated[float, "its standard deviation between patients, in doublings"] = 0.25
    organ_scan_log2_sd: Annotated[
        float, "standard deviation of liver and of spleen between scans, in doublings"
    ] = 0.06
    spleen_steps: Annotated[
        float, "steps by which the spleen is brighter than the liver: parts score 3 from score 4"
    ] = 1.0
    ssa_organ_factor: Annotated[
        float, "invented effect: liver and spleen SUVmax are multiplied by this under an analogue"
    ] = 0.8
    ssa_share: Annotated[float, "chance of a somatostatin analogue at the baseline PET"] = 0.4

    # Lesions
    lesions_min: Annotated[int, "fewest lesions of a patient; every number is as likely"] = 1
    lesions_max: Annotated[int, "most lesions of a patient"] = 6
    lesion_sites: Annotated[Shares, "chance of each lesion site"] = (
        ("liver", 0.5),
        ("lymph node", 0.2),
        ("primary", 0.15),
        ("bone", 0.1),
        ("lung", 0.05),
    )
    diameter_median: Annotated[float, "median diameter of a lesion at baseline in mm"] = 26.0
    diameter_log_sd: Annotated[float, "standard deviation of its natural logarithm"] = 0.5
    diameter_factor: Annotated[
        float, "invented effect: median follow-up diameter as a multiple of the baseline diameter"
    ] = 0.8
    diameter_factor_log_sd: Annotated[
        float, "standard deviation of the natural logarithm of that multiple"
    ] = 0.25
    diameter_min: Annotated[int, "smallest diameter in mm; smaller draws are set to it"] = 5
    unmatched_shares: Annotated[
        Shares, "chance that a lesion other than the index lesion is seen on one scan only"
    ] = (("resolved", 0.04), ("new", 0.03), ("not_assessable", 0.03))

    # What happens on the way
    not_rescanned_share: Annotated[float, "share of patients without a follow-up PET"] = 0.1
    not_rescanned_reasons: Annotated[Shares, "chance of each reason for it"] = (
        ("clinical progression", 0.4),
        ("died before follow-up PET", 0.2),
        ("lost to follow-up", 0.2),
        ("patient declined", 0.2),
    )
    prrt_share: Annotated[float, "share with PRRT between the scans; it has no effect here"] = 0.07
    embolisation_share: Annotated[
        float, "share with embolisation between the scans; it has no effect here"
    ] = 0.05
    ssa_change_share: Annotated[
        float, "share whose somatostatin analogue is begun or stopped between the scans"
    ] = 0.12
    scanner_change_share: Annotated[
        float, "share scanned on another scanner at follow-up; it has no effect here"
    ] = 0.13
    tracer_change_share: Annotated[
        float, "share scanned with another tracer at follow-up; it has no effect here"
    ] = 0.03
    tracers: Annotated[Shares, "chance of each tracer at baseline"] = (
        ("68Ga-DOTATATE", 0.9),
        ("68Ga-DOTATOC", 0.1),
    )
    scanners: Annotated[Shares, "chance of each scanner at baseline"] = (
        ("scanner A", 0.5),
        ("scanner B", 0.3),
        ("scanner C", 0.2),
    )

    # How the true values are written down
    mib1_notations: Annotated[
        Shares,
        "share of patients whose MIB1 is written in each such way, the last one being left empty",
    ] = (("<3", 0.03), (">20", 0.03), ("15-20", 0.03), ("7%-8%", 0.04), ("12%", 0.05), ("", 0.03))
    mib1_wide: Annotated[int, "width in percent of the wide MIB1 intervals, as in 15-20"] = 5
    mib1_narrow: Annotated[int, "width in percent of the narrow MIB1 intervals, as in 7%-8%"] = 1
    patient_notations: Annotated[
        Shares, "share of retrospective patients with a score written in each such way"
    ] = (("<=1", 0.08), ("III-IV", 0.05), ("II", 0.05), ("2-3", 0.05))
    lesion_notations: Annotated[
        Shares, "share of the lesions of a source with a score written in each such way"
    ] = (("<=1", 0.025), ("III-IV", 0.02), ("II", 0.02), ("2-3", 0.02))


@dataclass(frozen=True)
class Scan:
    """One PET of one patient."""

    day: date
    tracer: str
    scanner: str
    ssa: bool
    liver_suv: float
    spleen_suv: float


@dataclass(frozen=True)
class Reading:
    """What one scan shows of one lesion."""

    krenning: int
    suvmax: float
    diameter_mm: int


@dataclass(frozen=True)
class Lesion:
    """One lesion as it truly is; a side it is not seen on is None."""

    lesion_id: str
    site: str
    index: bool
    status: str
    pre: Reading | None
    post: Reading | None


@dataclass(frozen=True)
class Plan:
    """What is fixed for a patient before anything is measured."""

    patient_id: str
    source: str
    rescanned: bool
    interval_therapy: str
    ssa_change: bool
    scanner_change: bool
    tracer_change: bool


@dataclass(frozen=True)
class Patient:
    """One patient as she or he truly is."""

    plan: Plan
    age_years: int
    sex: str
    primary_site: str
    mib1: int
    captem_cycles: int
    captem_start: date
    captem_end: date
    pre: Scan
    post: Scan | None
    not_rescanned_reason: str
    lesions: tuple[Lesion, ...]

    @property
    def krenning_pre(self) -> int:
        """The patient's baseline score: of the matched lesions, or of all where none can match."""
        seen = [a.pre for a in self.lesions if a.pre and (a.post or self.post is None)]
        return most(reading.krenning for reading in seen)

    @property
    def krenning_post(self) -> int | None:
        """The patient's follow-up score, of the matched lesions; None where not scanned again."""
        if self.post is None:
            return None
        return most(lesion.post.krenning for lesion in self.lesions if lesion.pre and lesion.post)


Row = dict[str, str]


@dataclass(frozen=True)
class Cohort:
    """The true patients, and their sheets as written: file name to rows."""

    seed: int
    parameters: Parameters
    patients: tuple[Patient, ...]
    sheets: dict[str, list[Row]]


@dataclass(frozen=True)
class Cell:
    """A cell that may be written in an awkward way, and the true value it has to contain."""

    patient_id: str
    row: Row
    column: str
    true: int


MIB1_HEADING = {RETROSPECTIVE: "Ki-67 (%)", PROSPECTIVE: "mib1"}
PATIENTS_FILE = {RETROSPECTIVE: "patients.csv", PROSPECTIVE: "prospective_patients.csv"}
LESIONS_FILE = {RETROSPECTIVE: "lesions.csv", PROSPECTIVE: "prospective_lesions.csv"}
LESION_COLUMNS = (
    "patient_id",
    "lesion_id",
    "lesion_site",
    "index_lesion",
    "krenning_pre",
    "krenning_post",
    "suvmax_pre",
    "suvmax_post",
    "diameter_mm_pre",
    "diameter_mm_post",
    "lesion_status_post",
)


def patient_columns(source: str) -> tuple[str, ...]:
    """Return the headings of a patient sheet; only the retrospective one has a reader's scores."""
    scores = ("krenning_pre", "krenning_post") if source == RETROSPECTIVE else ()
    return (
        *("patient_id", "age_years", "sex", "primary_site", "who_grade", MIB1_HEADING[source]),
        *("captem_start", "captem_end", "captem_cycles"),
        *scores,
        *("pet_date_pre", "pet_date_post", "tracer_pre", "tracer_post"),
        *("scanner_pre", "scanner_post", "ssa_pre", "ssa_post"),
        *("liver_suv_pre", "liver_suv_post", "spleen_suv_pre", "spleen_suv_post"),
        *("interval_therapy", "not_rescanned_reason"),
    )


def columns_of(file: str) -> tuple[str, ...]:
    """Return the headings of one of the four files."""
    for source, name in PATIENTS_FILE.items():
        if name == file:
            return patient_columns(source)
    return LESION_COLUMNS


def generate(
    patients: int = DEFAULT_PATIENTS,
    seed: int = DEFAULT_SEED,
    parameters: Parameters | None = None,
) -> Cohort:
    """Draw a cohort, and write it down, from one random stream that starts at `seed`."""
    if patients < 1 or seed < 0:
        raise CaptemError(
            f"A synthetic cohort needs at least 1 patient and a seed of 0 or more; it was asked "
            f"for {patients} patients and seed {seed}."
        )
    p = parameters or Parameters()
    rng = np.random.default_rng(seed)
    drawn = tuple(draw_patient(rng, p, plan) for plan in draw_plans(rng, p, patients))
    return Cohort(seed, p, drawn, write_sheets(rng, p, drawn))


def most(scores: Iterable[int]) -> int:
    """Return the largest score that more than half of the lesions reach."""
    ranked = sorted(scores, reverse=True)
    return ranked[len(ranked) // 2]


def who_grade(mib1: float, p: Parameters) -> str:
    """Return the WHO grade that goes with a MIB1 index."""
    # ASSUME: MIB1 alone decides. In a patient, mitoses and differentiation count as well.
    if mib1 < p.g2_from_mib1:
        return "G1"
    return "G3" if mib1 > p.g3_above_mib1 else "G2"


def draw_plans(rng: np.random.Generator, p: Parameters, n: int) -> list[Plan]:
    """Lay out the patients of both sources, and whom the rarer events befall."""
    # ASSUME: who is not scanned again depends on nothing else that is known of the patient.
    everyone = range(n)
    missing = _pick(rng, everyone, p.not_rescanned_share, n)
    scanned = [i for i in everyone if i not in missing]
    prrt = _pick(rng, scanned, p.prrt_share, n)
    embolised = _pick(rng, [i for i in scanned if i not in prrt], p.embolisation_share, n)
    ssa = _pick(rng, scanned, p.ssa_change_share, n)
    scanner = _pick(rng, scanned, p.scanner_change_share, n)
    tracer = _pick(rng, scanned, p.tracer_change_share, n)
    return [
        Plan(
            patient_id=patient_id,
            source=source,
            rescanned=i not in missing,
            interval_therapy="PRRT" if i in prrt else "embolisation" if i in embolised else "none",
            ssa_change=i in ssa,
            scanner_change=i in scanner,
            tracer_change=i in tracer,
        )
        for i, (patient_id, source) in enumerate(_identities(n, p))
    ]


def _identities(n: int, p: Parameters) -> list[tuple[str, str]]:
    retrospective = round(n * p.retrospective_share)
    return [(f"R{i + 1:03d}", RETROSPECTIVE) for i in range(retrospective)] + [
        (f"P{i + 1:03d}", PROSPECTIVE) for i in range(n - retrospective)
    ]


def draw_patient(rng: np.random.Generator, p: Parameters, plan: Plan) -> Patient:
    """Draw one patient with both scans and all lesions."""
    mib1 = _whole(rng.lognormal(math.log(p.mib1_median), p.mib1_log_sd), p.mib1_min, p.mib1_max)
    cycles = _whole(rng.normal(p.cycles_mean, p.cycles_sd), p.cycles_min, p.cycles_max)
    start = _captem_start(rng, p, plan.source)
    end = start + timedelta(days=(cycles - 1) * p.cycle_days + p.treated_days - 1)
    liver = float(p.liver_median * 2 ** rng.normal(0, p.liver_log2_sd))
    pre, post = _scans(rng, p, plan, start, end, liver)
    lesions = _lesions(rng, p, mib1, cycles, liver, (pre, post))
    reason = _choose(rng, p.not_rescanned_reasons)
    return Patient(
        plan=plan,
        age_years=_whole(rng.normal(p.age_mean, p.age_sd), p.age_min, p.age_max),
        sex="female" if rng.random() < p.female_share else "male",
        primary_site=_choose(rng, p.primary_sites),
        mib1=mib1,
        captem_cycles=cycles,
        captem_start=start,
        captem_end=end,
        pre=pre,
        post=post if plan.rescanned else None,
        not_rescanned_reason="" if plan.rescanned else reason,
        lesions=_matched(rng, p, lesions) if plan.rescanned else _baseline_only(lesions),
    )


def _captem_start(rng: np.random.Generator, p: Parameters, source: str) -> date:
    first, days = (
        (p.retrospective_start, p.retrospective_days)
        if source == RETROSPECTIVE
        else (p.prospective_start, p.prospective_days)
    )
    return date.fromisoformat(first) + timedelta(days=int(rng.integers(days)))


def _scans(
    rng: np.random.Generator, p: Parameters, plan: Plan, start: date, end: date, liver: float
) -> tuple[Scan, Scan]:
    before = int(rng.integers(p.pet_before_min, p.pet_before_max + 1))
    after = int(rng.integers(p.pet_after_min, p.pet_after_max + 1))
    tracer, scanner = _choose(rng, p.tracers), _choose(rng, p.scanners)
    ssa = bool(rng.random() < p.ssa_share)
    tracer_after = _other(rng, p.tracers, tracer) if plan.tracer_change else tracer
    scanner_after = _other(rng, p.scanners, scanner) if plan.scanner_change else scanner
    ssa_after = ssa != plan.ssa_change
    return (
        Scan(start - timedelta(days=before), tracer, scanner, ssa, *_organs(rng, p, liver, ssa)),
        Scan(
            end + timedelta(days=after),
            tracer_after,
            scanner_after,
            ssa_after,
            *_organs(rng, p, liver, ssa_after),
        ),
    )


def _organs(
    rng: np.random.Generator, p: Parameters, liver: float, ssa: bool
) -> tuple[float, float]:
    """Return liver and spleen SUVmax of one scan."""
    usual = liver * (p.ssa_organ_factor if ssa else 1)
    spleen = usual * 2 ** (p.suv_doublings_per_step * p.spleen_steps)
    noise = 2 ** rng.normal(0, p.organ_scan_log2_sd, size=2)
    return _suv(usual * noise[0], p), _suv(spleen * noise[1], p)


def _lesions(
    rng: np.random.Generator,
    p: Parameters,
    mib1: int,
    cycles: int,
    liver: float,
    scans: tuple[Scan, Scan],
) -> tuple[Lesion, ...]:
    """Draw the lesions of one patient, each as both scans would show it."""
    low = rng.random() < p.low_share
    level = rng.normal(*((p.low_mean, p.low_sd) if low else (p.high_mean, p.high_sd)))
    gain = expected_gain(mib1, cycles, p) + rng.normal(0, p.gain_patient_sd)
    drawn = []
    for number in range(int(rng.integers(p.lesions_min, p.lesions_max + 1))):
        latent = level + rng.normal(0, p.lesion_baseline_sd)
        later = latent + gain + rng.normal(0, p.gain_lesion_sd)
        # ASSUME: shrinkage has nothing to do with uptake, and small lesions do not read low.
        diameter = rng.lognormal(math.log(p.diameter_median), p.diameter_log_sd)
        shrunk = diameter * rng.lognormal(math.log(p.diameter_factor), p.diameter_factor_log_sd)
        drawn.append(
            Lesion(
                lesion_id=f"L{number + 1}",
                site=_choose(rng, p.lesion_sites),
                index=False,
                status="present",
                pre=_reading(rng, p, latent, liver, scans[0], diameter),
                post=_reading(rng, p, later, liver, scans[1], shrunk),
            )
        )
    return _with_index(drawn)


def expected_gain(mib1: float, cycles: float, p: Parameters) -> float:
    """Return the latent gain in Krenning steps that is invented for this MIB1 and these cycles."""
    # ASSUME: effects are linear in log2 MIB1 and in cycles, the same in either source. Nothing
    # published relates MIB1 or cycles to the change in uptake.
    doublings = math.log2(mib1 / p.mib1_reference)
    return (
        p.gain_mean
        + p.gain_per_mib1_doubling * doublings
        + p.gain_per_cycle * (cycles - p.cycles_reference)
    )


def _reading(
    rng: np.random.Generator,
    p: Parameters,
    latent: float,
    liver: float,
    scan: Scan,
    diameter: float,
) -> Reading:
    """Measure and score a lesion.

    SUVmax follows latent uptake. The score is given by eye against the liver of that scan, so a
    darker liver (under a somatostatin analogue) raises the score of an unchanged lesion.
    """
    steps = p.suv_doublings_per_step
    log2_suv = math.log2(liver) + steps * (latent - p.liver_latent) + rng.normal(0, p.suv_log2_sd)
    seen = latent + math.log2(liver / scan.liver_suv) / steps + rng.normal(0, p.reader_sd)
    return Reading(
        krenning=_whole(seen, 0, 4),
        suvmax=_suv(2**log2_suv, p),
        diameter_mm=_whole(diameter, p.diameter_min, math.inf),
    )


def _with_index(lesions: Sequence[Lesion]) -> tuple[Lesion, ...]:
    """Mark the lesion that is largest at baseline as the index lesion."""
    sizes = [lesion.pre.diameter_mm if lesion.pre else 0 for lesion in lesions]
    largest = sizes.index(max(sizes))
    return tuple(replace(lesion, index=i == largest) for i, lesion in enumerate(lesions))


def _matched(
    rng: np.random.Generator, p: Parameters, lesions: Iterable[Lesion]
) -> tuple[Lesion, ...]:
    """Let a few lesions be seen on one scan only.

    The index lesion never is, so that each patient scanned twice has a lesion to compare.
    """
    present = 1 - sum(share for _, share in p.unmatched_shares)
    return tuple(
        lesion
        if lesion.index
        else _with_status(lesion, _choose(rng, (("present", present), *p.unmatched_shares)))
        for lesion in lesions
    )


def _with_status(lesion: Lesion, status: str) -> Lesion:
    return replace(
        lesion,
        status=status,
        pre=None if status == "new" else lesion.pre,
        post=None if status in ("resolved", "not_assessable") else lesion.post,
    )


def _baseline_only(lesions: Iterable[Lesion]) -> tuple[Lesion, ...]:
    return tuple(replace(lesion, status="", post=None) for lesion in lesions)


def write_sheets(
    rng: np.random.Generator, p: Parameters, patients: Sequence[Patient]
) -> dict[str, list[Row]]:
    """Write the patients down as rows of text, a few cells in the notations of real sheets."""
    sheets: dict[str, list[Row]] = {}
    mib1: list[Cell] = []
    for source in (RETROSPECTIVE, PROSPECTIVE):
        members = [patient for patient in patients if patient.plan.source == source]
        rows = [_patient_row(patient, p) for patient in members]
        lesions = [
            (patient.plan.patient_id, lesion) for patient in members for lesion in patient.lesions
        ]
        lesion_rows = [_lesion_row(patient_id, lesion) for patient_id, lesion in lesions]
        sheets[PATIENTS_FILE[source]] = rows
        sheets[LESIONS_FILE[source]] = lesion_rows
        mib1 += [
            Cell(patient.plan.patient_id, row, MIB1_HEADING[source], patient.mib1)
            for patient, row in zip(members, rows, strict=True)
        ]
        if source == RETROSPECTIVE:
            scores = _patient_scores(members, rows)
            _rewrite(rng, scores, p.patient_notations, krenning_as, len(members))
        scores = _lesion_scores(lesions, lesion_rows)
        _rewrite(rng, scores, p.lesion_notations, krenning_as, len(lesions))

    def write(notation: str, true: int) -> str | None:
        return mib1_as(notation, true, p)

    _rewrite(rng, mib1, p.mib1_notations, write, len(patients))
    return sheets


def _patient_row(patient: Patient, p: Parameters) -> Row:
    plan, pre, post = patient.plan, patient.pre, patient.post
    row = {
        "patient_id": plan.patient_id,
        "age_years": str(patient.age_years),
        "sex": patient.sex,
        "primary_site": patient.primary_site,
        "who_grade": who_grade(patient.mib1, p),
        MIB1_HEADING[plan.source]: str(patient.mib1),
        "captem_start": patient.captem_start.isoformat(),
        "captem_end": patient.captem_end.isoformat(),
        "captem_cycles": str(patient.captem_cycles),
        "krenning_pre": str(patient.krenning_pre),
        "krenning_post": _text(patient.krenning_post),
        **_scan_cells(pre, "pre"),
        **_scan_cells(post, "post"),
        "interval_therapy": plan.interval_therapy if post else "",
        "not_rescanned_reason": patient.not_rescanned_reason,
    }
    return {name: row[name] for name in patient_columns(plan.source)}


def _scan_cells(scan: Scan | None, side: str) -> Row:
    return {
        f"pet_date_{side}": scan.day.isoformat() if scan else "",
        f"tracer_{side}": scan.tracer if scan else "",
        f"scanner_{side}": scan.scanner if scan else "",
        f"ssa_{side}": _yes_no(scan.ssa) if scan else "",
        f"liver_suv_{side}": _text(scan.liver_suv if scan else None),
        f"spleen_suv_{side}": _text(scan.spleen_suv if scan else None),
    }


def _lesion_row(patient_id: str, lesion: Lesion) -> Row:
    row = {
        "patient_id": patient_id,
        "lesion_id": lesion.lesion_id,
        "lesion_site": lesion.site,
        "index_lesion": _yes_no(lesion.index),
        "lesion_status_post": lesion.status,
        **_reading_cells(lesion.pre, "pre"),
        **_reading_cells(lesion.post, "post"),
    }
    return {name: row[name] for name in LESION_COLUMNS}


def _reading_cells(reading: Reading | None, side: str) -> Row:
    return {
        f"krenning_{side}": _text(reading.krenning if reading else None),
        f"suvmax_{side}": _text(reading.suvmax if reading else None),
        f"diameter_mm_{side}": _text(reading.diameter_mm if reading else None),
    }


def _patient_scores(patients: Sequence[Patient], rows: Sequence[Row]) -> list[Cell]:
    return [
        Cell(row["patient_id"], row, column, score)
        for patient, row in zip(patients, rows, strict=True)
        for column, score in (
            ("krenning_pre", patient.krenning_pre),
            ("krenning_post", patient.krenning_post),
        )
        if score is not None
    ]


def _lesion_scores(lesions: Sequence[tuple[str, Lesion]], rows: Sequence[Row]) -> list[Cell]:
    return [
        Cell(patient_id, row, column, reading.krenning)
        for (patient_id, lesion), row in zip(lesions, rows, strict=True)
        for column, reading in (("krenning_pre", lesion.pre), ("krenning_post", lesion.post))
        if reading is not None
    ]


def mib1_as(notation: str, true: int, p: Parameters) -> str | None:
    """Write a MIB1 index in a notation; None where that would not contain the true value.

    No interval crosses a limit of the WHO grade, which stands in the same row.
    """
    inside = p.g2_from_mib1 <= true < p.g3_above_mib1
    if notation == "<3":
        return f"<{p.g2_from_mib1}" if true < p.g2_from_mib1 else None
    if notation == ">20":
        return f">{p.g3_above_mib1}" if true > p.g3_above_mib1 else None
    if notation == "15-20":
        low = true - true % p.mib1_wide
        return f"{low}-{low + p.mib1_wide}" if inside and low >= p.g2_from_mib1 else None
    if notation == "7%-8%":
        return f"{true}%-{true + p.mib1_narrow}%" if inside else None
    return f"{true}%" if notation == "12%" else ""


def krenning_as(notation: str, true: int) -> str | None:
    """Write a Krenning score in a notation; None where that would not contain the true score."""
    contained = {"<=1": (0, 1), "III-IV": (3, 4), "II": (2,), "2-3": (2, 3)}
    return notation if true in contained[notation] else None


def _rewrite(
    rng: np.random.Generator,
    cells: Iterable[Cell],
    shares: Shares,
    write: Callable[[str, int], str | None],
    total: int,
) -> None:
    """Rewrite a share of `total` cells in each notation, at most one cell of a patient."""
    free = list(cells)
    for notation, share in shares:
        fitting = _one_a_patient(rng, [a for a in free if write(notation, a.true) is not None])
        for i in sorted(_pick(rng, range(len(fitting)), share, total)):
            cell = fitting[i]
            cell.row[cell.column] = write(notation, cell.true) or ""
            free = [other for other in free if other.patient_id != cell.patient_id]


def _one_a_patient(rng: np.random.Generator, cells: Sequence[Cell]) -> list[Cell]:
    shuffled = [cells[i] for i in rng.permutation(len(cells))]
    return list({cell.patient_id: cell for cell in shuffled}.values())


def _pick(rng: np.random.Generator, candidates: Iterable[int], share: float, n: int) -> set[int]:
    """Pick a share of `n`, as a whole number, from the candidates."""
    shuffled = rng.permutation(np.array(list(candidates), dtype=np.int64))
    return {int(i) for i in shuffled[: round(share * n)]}


def _choose(rng: np.random.Generator, shares: Shares) -> str:
    bounds = np.cumsum([share for _, share in shares])
    drawn = rng.random() * bounds[-1]
    return shares[int(np.searchsorted(bounds, drawn, side="right"))][0]


def _other(rng: np.random.Generator, shares: Shares, present: str) -> str:
    return _choose(rng, tuple(item for item in shares if item[0] != present))


def _whole(value: float, low: float, high: float) -> int:
    """Round half up, within the limits."""
    return int(min(max(math.floor(value + 0.5), low), high))


def _suv(value: float, p: Parameters) -> float:
    return max(round(float(value), 1), p.suv_min)


def _text(value: float | None) -> str:
    return "" if value is None else str(value)


def _yes_no(value: bool) -> str:
    return "yes" if value else "no"


def render(cohort: Cohort) -> dict[str, str]:
    """Return the text of each file: the note, the heading, the rows."""
    note = header_note(cohort)
    return {
        name: "".join(f"# {line}\n" for line in note) + _csv(columns_of(name), rows)
        for name, rows in cohort.sheets.items()
    }


def header_note(cohort: Cohort) -> list[str]:
    """Say, line by line, that the rows are invented, and with which numbers."""
    p = cohort.parameters
    return [
        "SYNTHETIC DATA: made by a program from invented numbers. No row describes a real person.",
        "Nothing here is evidence on CAPTEM, on MIB1 or on any patient: the effects below were put",
        "into the data by hand, and an analysis of the data can find nothing but them and chance.",
        "Made by: python scripts/generate_synthetic_cohort.py "
        f"--patients {len(cohort.patients)} --seed {cohort.seed} --out DIR",
        f"Seed: {cohort.seed}. Patients in both sources together: {len(cohort.patients)}.",
        "How a row comes about",
        "- Latent uptake of a lesion at baseline, in Krenning steps: that of the patient, from a",
        "  mix of a low and a high part, plus lesion noise.",
        f"- Latent gain: {p.gain_mean} steps at MIB1 {p.mib1_reference} % and "
        f"{p.cycles_reference} cycles, plus {p.gain_per_mib1_doubling} steps for each doubling",
        f"  of MIB1, plus {p.gain_per_cycle} steps for each further cycle, plus a random effect of",
        "  the patient and noise of the lesion. All of it is invented.",
        "- SUVmax = the patient's usual liver SUVmax, doubled "
        f"{p.suv_doublings_per_step} times for each step of latent uptake above",
        f"  {p.liver_latent}, with noise, to one decimal. This relation is invented.",
        "- Krenning score = latent uptake against the liver of that scan, plus reader noise,",
        "  rounded to a whole score from 0 to 4.",
        f"- Under a somatostatin analogue liver and spleen are {p.ssa_organ_factor} times as bright"
        " and lesions unchanged (invented):",
        "  the same lesion then scores higher.",
        "- The score of a patient is the largest that more than half of the matched lesions reach.",
        "- A few true values are then written in an interval or another notation that contains",
        "  them, and a few MIB1 cells are left empty.",
        "Parameters: name = value: meaning",
        *(
            f"{name} = {_value_text(getattr(p, name))}: {meaning}"
            for name, meaning in meanings().items()
        ),
    ]


def meanings() -> dict[str, str]:
    """Return what each parameter means, in the order they are declared."""
    hints = get_type_hints(Parameters, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items()}


def _value_text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{name or '(empty)'} {share}" for name, share in value)
    return str(value)


def _csv(columns: Sequence[str], rows: Iterable[Row]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
