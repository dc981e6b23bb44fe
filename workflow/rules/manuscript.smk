"""
Manuscript: the text with the numbers of this run, and the checklist of STROBE.

REQUIRED INPUTS:
    statistics.csv, the tables, the figures with their captions
OUTPUTS:
    manuscript/manuscript.md, docx, html, pdf
"""
