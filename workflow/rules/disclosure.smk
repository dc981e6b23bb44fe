"""
Disclosure: small counts are masked in what leaves the group.

REQUIRED INPUTS:
    statistics.csv, transitions/matrix.csv, cohort/flow.csv
OUTPUTS:
    disclosure/: copies of them with masked counts, and what was masked and why
"""
