"""What STROBE asks of a cohort study: its 22 items with their parts, in words of our own.

Numbers, parts and names are those of the checklist for cohort studies; the official wording is
that of the STROBE group.
"""

from __future__ import annotations

from dataclasses import dataclass

TITLE, INTRODUCTION, METHODS = "Title and abstract", "Introduction", "Methods"
RESULTS, DISCUSSION, OTHER = "Results", "Discussion", "Other information"


@dataclass(frozen=True)
class Item:
    """One line of the checklist: `12c` is part c of item 12."""

    number: str
    section: str
    name: str
    asks: str


ITEMS = (
    Item("1a", TITLE, "Title", "says by a usual term which design the study has"),
    Item("1b", TITLE, "Abstract", "sums up what was done and found, with what is for and against"),
    Item("2", INTRODUCTION, "Background", "why the question is asked, and what is known"),
    Item("3", INTRODUCTION, "Objectives", "the questions, with hypotheses stated beforehand"),
    Item("4", METHODS, "Study design", "the main features of the design, early in the paper"),
    Item("5", METHODS, "Setting", "places and dates of recruiting, treatment, scans, collection"),
    Item("6a", METHODS, "Participants", "who was eligible, how they were chosen and followed up"),
    Item("6b", METHODS, "Matching", "if matched: by what, and how many were exposed or not"),
    Item("7", METHODS, "Variables", "definitions of outcomes, exposures, predictors, confounders"),
    Item("8", METHODS, "Measurement", "for each variable, from where and how it was measured"),
    Item("9", METHODS, "Bias", "what was done against sources of bias"),
    Item("10", METHODS, "Study size", "how the number of patients came about"),
    Item("11", METHODS, "Quantities", "how quantities were handled, and groups of them chosen"),
    Item("12a", METHODS, "Statistics", "all methods, with the control of confounding"),
    Item("12b", METHODS, "Subgroups", "methods for subgroups and interactions"),
    Item("12c", METHODS, "Missing data", "how missing data were handled"),
    Item("12d", METHODS, "Loss to follow-up", "how those not followed up were handled"),
    Item("12e", METHODS, "Sensitivity", "which sensitivity analyses were made"),
    Item("13a", RESULTS, "Participants", "how many there were at each stage of the study"),
    Item("13b", RESULTS, "Left out", "why patients dropped out at each stage"),
    Item("13c", RESULTS, "Flow diagram", "is there one?"),
    Item("14a", RESULTS, "Characteristics", "who the patients are, exposures and confounders"),
    Item("14b", RESULTS, "Missing values", "for each variable, how many patients lack it"),
    Item("14c", RESULTS, "Follow-up time", "how long patients were followed, sum and average"),
    Item("15", RESULTS, "Outcome data", "how many outcome events, or summaries over time"),
    Item("16a", RESULTS, "Main results", "estimates with intervals, crude and adjusted for what"),
    Item("16b", RESULTS, "Categories", "the limits of groups where a quantity was grouped"),
    Item("16c", RESULTS, "Absolute risk", "relative risks as absolute ones, where that tells more"),
    Item("17", RESULTS, "Other analyses", "subgroups, interactions and sensitivity analyses"),
    Item("18", DISCUSSION, "Key results", "the main results, held against the questions"),
    Item("19", DISCUSSION, "Limitations", "bias and imprecision, with direction and size"),
    Item("20", DISCUSSION, "Interpretation", "a cautious reading, in the light of other studies"),
    Item("21", DISCUSSION, "Generalisability", "for whom else the results may hold"),
    Item("22", OTHER, "Funding", "who paid, and what part the funders had"),
)  # fmt: skip
