"""When an estimate is refused or called unstable: every limit with its reason, in one place.

The limits are judgement, taken from what simulation shows at the sizes people have:
likelihood-ratio inference on an ordinal regression has a type I error of .08 to .09 at n = 23.
"""

from __future__ import annotations

# Two scans of one patient are a description; nothing can be said about others from them.
MIN_PAIRS = 2
# Effective observations per slope, for maximum likelihood and least squares.
MIN_PER_SLOPE = 5.0
STABLE_PER_SLOPE = 15.0
# With fewer differences even the most extreme outcome has P above .05 (5: 2 * 0.5**5 = .0625).
MIN_DIFFERENCES = 6
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


def too_few_for_regression(n: int, parameters: int, effective: float, slopes: int) -> str:
    """Return why a regression is refused, or empty text.

    `effective` is the effective number of observations, `slopes` the number of coefficients.
    """
    if n <= parameters:
        return (
            f"{n} patients for {parameters} parameters; a model needs more patients than parameters"
        )
    if effective < MIN_PER_SLOPE * slopes:
        return (
            f"{_per_slope(effective, slopes)} effective observations per coefficient; "
            f"at least {MIN_PER_SLOPE:g} are needed"
        )
    return ""


def few_for_regression(effective: float, slopes: int) -> str:
    """Return why a regression is to be read as exploratory, or empty text."""
    if effective >= STABLE_PER_SLOPE * slopes:
        return ""
    return (
        f"{_per_slope(effective, slopes)} effective observations per coefficient, fewer than "
        f"{STABLE_PER_SLOPE:g}: read as exploratory"
    )


def few_differences(differences: int) -> str:
    """Return why a test on so few differences says little, or empty text.

    With d differences the smallest two-sided P of an exact test is 2 * 0.5**d.
    """
    if differences >= MIN_DIFFERENCES:
        return ""
    if differences == 0:
        return "no patient changed, so P is 1"
    noun = "patient" if differences == 1 else "patients"
    smallest = min(1.0, 2 * 0.5**differences)
    return f"only {differences} {noun} changed: the smallest P possible is {smallest:g}"


def _per_slope(effective: float, slopes: int) -> str:
    # Rounded down, so that the number shown never reaches a limit that the true one misses.
    return f"{int(effective / slopes * 10) / 10:.1f}"
