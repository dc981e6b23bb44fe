"""
Bundle: what an audience may have, in one file.

REQUIRED INPUTS:
    figures, tables, manuscript, statistics.csv, provenance.json
OUTPUTS:
    bundle/<study>_<cut>_<audience>.zip
"""
