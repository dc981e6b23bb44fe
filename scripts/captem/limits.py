"""When an estimate is refused or called unstable: every limit with its reason, in one place.

The limits are judgement, taken from what simulation shows at the sizes people have:
likelihood-ratio inference on an ordinal regression has a type I error of .08 to .09 at n = 23.
"""

from __future__ import annotations

# Two scans of one patient are a description; nothing can be said about others from them.
MIN_PAIRS = 2
# Effective observations per slope, for maximum likelihood and least squares.
MIN_PER_SLOPE = 5.0
# Bias-reduced and penalised fits are made for few patients.
MIN_REDUCED = 2.0
STABLE_PER_SLOPE = 15.0
# A test that cannot fall below this, whatever the outcome, can only be read as exploratory.
ALPHA = 0.05
# The chi-square distribution stands for the exact one only where enough patients changed: of five
# scores and exchangeable changes, Stuart-Maxwell at 5 % rejects 1 % of 12 changes, 5 % of 25.
MIN_CHANGED_FOR_CHI_SQUARE = 25
# By exact computation the intervals of paired differences cover at least 88 % from 6 patients on,
# where they are to cover 95 %; at 3 patients 77 %.
MIN_FOR_INTERVAL = 6
# Below 3 patients every order of the values is as extreme as any other.
MIN_FOR_ASSOCIATION = 3
STABLE_ASSOCIATION = 10
# The interval of kappa is a large-sample one.
STABLE_KAPPA = 30
# At n = 23 a fifth of the resamples of an ordinal outcome lose a category.
MIN_FOR_ORDINAL_BOOTSTRAP = 40
MIN_FOR_BOOTSTRAP = 10
# An interval from resamples speaks for those with an estimate only.
MOST_WITHOUT_ESTIMATE = 0.05
# Imputation draws on the patients who have the value; too few, or too many gaps, make it invention.
MIN_FOR_IMPUTATION = 40
MOST_MISSING = 0.5
# Chains whose means differ this much more between them than within have not mixed.
MAX_RHAT = 1.2
# A model of who was scanned again needs patients of its own.
MIN_FOR_WEIGHTS = 100
# A cluster-robust standard error is made of as many independent parts as there are patients.
MIN_CLUSTERS = 10
# Below 4 degrees of freedom a t with Satterthwaite's rejects too often, whatever the covariance
# (Tipton 2015, Psychol Methods 20:375-393, on CR2).
MIN_DEGREES = 4.0
# How alike the lesions of a patient are is known from the patients with several alone.
MIN_REPEATED = 5
# With less than one unit between the lowest and the highest patient, a ratio per unit is a guess.
MIN_SPAN = 1.0
# Residuals this small against the outcome are rounding, and a standard error of them is noise.
MIN_RESIDUAL = 1e-20
# A leverage of 1 leaves that patient no residual: HC3 divides by zero there.
MAX_LEVERAGE = 1 - 1e-8


def too_few_pairs(pairs: int) -> str:
    """Return why inference from so few pairs is refused, or empty text."""
    if pairs >= MIN_PAIRS:
        return ""
    have = {0: "no patient has", 1: "only one patient has"}[pairs]
    return f"{have} both scans scored; at least {MIN_PAIRS} are needed for a statement beyond them"


def no_interval(n: int) -> str:
    """Return why a proportion is shown without an interval, or empty text."""
    if n >= MIN_PAIRS:
        return ""
    if n == 0:
        return "no patient can be counted"
    return "one patient: a description, from which nothing is inferred"


def too_few_for_regression(
    n: int, parameters: int, effective: float, slopes: int, least: float = MIN_PER_SLOPE
) -> str:
    """Return why a regression is refused, or empty text.

    `effective` is the effective number of observations, `slopes` the number of coefficients, and
    `least` how many observations each coefficient needs.
    """
    if n <= parameters:
        return (
            f"{n} patients for {parameters} parameters; a model needs more patients than parameters"
        )
    if effective < least * slopes:
        return (
            f"{_per_slope(effective, slopes)} effective observations per coefficient; "
            f"at least {least:g} are needed"
        )
    return ""


def dropped(effective: float, slopes: int) -> str:
    """Return why a covariate was taken out of a model of `slopes` coefficients."""
    return (
        f"with it there would be {_per_slope(effective, slopes)} effective observations per "
        f"coefficient, fewer than {MIN_PER_SLOPE:g}; the terms named last are dropped first"
    )


def few_for_regression(effective: float, slopes: int) -> str:
    """Return why a regression is to be read as exploratory, or empty text."""
    if effective >= STABLE_PER_SLOPE * slopes:
        return ""
    return (
        f"{_per_slope(effective, slopes)} effective observations per coefficient, fewer than "
        f"{STABLE_PER_SLOPE:g}: read as exploratory"
    )


def few_for_interval(n: int) -> str:
    """Return why an interval from so few patients is to be read as exploratory, or empty text."""
    if n >= MIN_FOR_INTERVAL:
        return ""
    return (
        f"{n} patients: a 95 % interval from so few can miss the truth much more often than in 5 %"
    )


def no_small_p(patients: int) -> str:
    """Return why the share of P below .05 says nothing for so few patients, or empty text."""
    if patients and 2.0 ** (1 - patients) <= ALPHA:
        return ""
    return f"with {patients} patients no P can fall to .05, whatever happens"


def few_differences(certain: int, still_open: int, what: str, *, mid_p: bool = False) -> str:
    """Return why a test on so few differences says little, or empty text.

    Parameters
    ----------
    certain, still_open : patients who certainly differ, and who may, as interval scores leave open.
    what : what they did, as in `changed`.
    mid_p : whether the test is by mid-P, which reaches 0.5**d with d differences; an exact
        two-sided test reaches 2 * 0.5**d.
    """

    def smallest(differences: int) -> float:
        return min(1.0, 0.5**differences * (1 if mid_p else 2))

    if smallest(certain) <= ALPHA:
        return ""
    if certain == still_open == 0:
        return f"no patient {what}, so P is 1"
    said = f"only {certain} {'patient' if certain == 1 else 'patients'} {what}"
    if still_open:
        said += f" for certain, and in {still_open} the scores leave it open"
    return f"{said}: the smallest P possible is {smallest(certain + still_open):g}"


def tied_interval(no_width: bool, rejected: bool, holds_no_change: bool) -> str:
    """Return why an interval by ranks is not to be trusted under ties, or empty text."""
    if no_width:
        return "so many patients have the same ratio that the interval has no width"
    if rejected and holds_no_change:
        return "so many patients have the same ratio that the interval ends at it; P counts them"
    return ""


def no_rank_interval(n: int, level: float) -> str:
    """Return why so few pairs have no interval by ranks: all sign patterns are too few for it."""
    needed = next(pairs for pairs in range(2, 60) if 2.0 ** (1 - pairs) <= 1 - level)
    return f"{n} pairs are too few for an interval at {level:.0%} by ranks; {needed} are needed"


def small_p_out_of_reach(smallest: float) -> str:
    """Return why a test says little whose P cannot be small, or empty text."""
    if smallest <= ALPHA:
        return ""
    return f"as these changes are spread over the table, the smallest P possible is {smallest:.2g}"


def few_for_chi_square(changed: int, still_open: int) -> str:
    """Return why a chi-square P on so few changes is to be read as exploratory, or empty text."""
    if changed >= MIN_CHANGED_FOR_CHI_SQUARE:
        return ""
    if changed == still_open == 0:
        return "no patient changed, so P is 1"
    return (
        f"only {changed} patients changed; chi-square is a large-sample approximation and wants "
        f"{MIN_CHANGED_FOR_CHI_SQUARE}"
    )


def too_few_for_association(n: int, values_differ: bool, gains_differ: bool) -> str:
    """Return why a rank correlation is refused, or empty text."""
    if n < MIN_FOR_ASSOCIATION:
        have = {0: "no patient has", 1: "only one patient has"}.get(n, f"only {n} patients have")
        return f"{have} all that is needed; a rank correlation needs {MIN_FOR_ASSOCIATION}"
    if not values_differ:
        return "all patients have the same value, so nothing can go with it"
    if not gains_differ:
        return "all patients have the same gain, so nothing can go with it"
    return ""


def few_for_association(n: int, smallest: float) -> str:
    """Return why a rank correlation is to be read as exploratory, or empty text.

    `smallest` is the smallest P that any arrangement of the values could give, NaN if not known.
    """
    if smallest > ALPHA:
        return f"whatever the order of these values, P cannot fall below {smallest:.2g}"
    if n >= STABLE_ASSOCIATION:
        return ""
    return f"only {n} patients: read as exploratory"


def too_few_for_kappa(n: int, intervals: int) -> str:
    """Return why kappa is refused, or empty text; `intervals` pairs have an interval score."""
    if n >= MIN_PAIRS:
        return ""
    have = {0: "no scan has", 1: "only one scan has"}[n]
    left_out = left_out_of_kappa(intervals)
    return f"{have} a score of both readers that is no interval" + (
        f"; {left_out}" if left_out else ""
    )


def few_for_kappa(n: int, kappa: float, interval: bool) -> str:
    """Return why kappa is to be read as exploratory, or empty text."""
    if kappa == 1:
        return f"the readers agree on all {n} scans, so the method gives no interval"
    if not interval:
        return f"the {n} scans show no spread from which the method could make an interval"
    if n >= STABLE_KAPPA:
        return ""
    return f"{n} scans, and the interval is a large-sample one that wants {STABLE_KAPPA}"


def left_out_of_kappa(intervals: int) -> str:
    """Return how many scans kappa leaves out for an interval score, or empty text."""
    if not intervals:
        return ""
    return f"{intervals} left out because a score is an interval"


def too_few_for_bootstrap(n: int, least: int = MIN_FOR_BOOTSTRAP) -> str:
    """Return why bootstrap intervals of so few patients are refused, or empty text."""
    if n >= least:
        return ""
    why = ", as resamples of fewer lose whole scores" if least > MIN_FOR_BOOTSTRAP else ""
    return f"{n} patients: the bootstrap needs {least}{why}"


def resamples_without_estimate(without: int, replicates: int, why: str) -> str:
    """Return why a bootstrap interval is to be read as exploratory, or empty text.

    In `without` of the resamples there was no estimate; `why` says how that can be.
    """
    if without <= MOST_WITHOUT_ESTIMATE * replicates:
        return ""
    return f"in {without:,} of {replicates:,} resamples there is no estimate ({why})"


def small_permutation_p_out_of_reach(smallest: float) -> str:
    """Return why a permutation test on so few arrangements says little, or empty text."""
    if smallest <= ALPHA:
        return ""
    return (
        "so few patients of one baseline differ in MIB1 and in the outcome that the smallest P "
        f"possible is {smallest:.2g}"
    )


def too_few_for_imputation(n: int, missing: int) -> str:
    """Return why missing predictors are not imputed, or empty text.

    `n` patients would be analysed, `missing` of them lack a predictor.
    """
    if n < MIN_FOR_IMPUTATION:
        return f"{n} patients: imputation needs {MIN_FOR_IMPUTATION}"
    if missing > MOST_MISSING * n:
        return f"{missing} of {n} patients lack a predictor, too many to impute them from the rest"
    return ""


def unsettled_imputation(rhat: float) -> str:
    """Return why imputed values are to be read as exploratory, or empty text.

    `rhat` is the largest potential scale reduction of the imputed columns, NaN where none moved.
    """
    if not rhat > MAX_RHAT:
        return ""
    return f"the imputed values had not settled (potential scale reduction {rhat:.2f})"


def too_few_for_weights(n: int) -> str:
    """Return why patients not scanned again are not made up for by weights, or empty text."""
    if n >= MIN_FOR_WEIGHTS:
        return ""
    return f"{n} patients: a model of who was scanned again needs {MIN_FOR_WEIGHTS}"


def too_few_clusters(patients: int) -> str:
    """Return why standard errors robust to clusters are refused, or empty text."""
    if patients >= MIN_CLUSTERS:
        return ""
    return f"{patients} patients: cluster-robust standard errors need {MIN_CLUSTERS}"


def few_degrees(df: float) -> str:
    """Return why a t with so few of Satterthwaite's degrees of freedom is exploratory, or ""."""
    if df >= MIN_DEGREES:
        return ""
    return (
        f"{df:.1f} degrees of freedom, as few patients carry the coefficient; below "
        f"{MIN_DEGREES:g} an interval and P by t cannot be relied on"
    )


def few_repeated(patients: int) -> str:
    """Return why patients' and lesions' variation are hardly told apart, or empty text.

    `patients` is the number of patients with several lesions that say something.
    """
    if patients >= MIN_REPEATED:
        return ""
    have = "only one patient has" if patients == 1 else f"only {patients} patients have"
    return f"{have} several lesions, and how alike a patient's lesions are rests on them alone"


def short_span(span: float, unit: str) -> str:
    """Return why a ratio per unit of a term is to be read as exploratory, or empty text.

    `span` is the distance between the lowest and the highest value, in units of the term.
    """
    if span >= MIN_SPAN:
        return ""
    return f"the patients span only {span:.2g} of the unit ({unit}): beyond it the ratio is a guess"


def _per_slope(effective: float, slopes: int) -> str:
    # Rounded down, so that the number shown never reaches a limit that the true one misses.
    return f"{int(effective / slopes * 10) / 10:.1f}"
