"""
Template: the forms for collecting data, for a study before its first patient too.

REQUIRED INPUTS:
    none; the forms come from the schemas in scripts/captem/schemas.py
OUTPUTS:
    templates/entry_form.xlsx: a workbook to fill in by hand
    templates/redcap_*: what makes a REDCap project, and how
    templates/*.schema.json, datapackage.json: the layout of the entry form as Frictionless Table Schemas
"""


rule write_templates:
    input:
        code=needs("write_templates.py"),
    output:
        entry_form=f"{RESULTS}/templates/entry_form.xlsx",
        redcap_data_dictionary=f"{RESULTS}/templates/redcap_data_dictionary.csv",
        redcap_events=f"{RESULTS}/templates/redcap_events.csv",
        redcap_instrument_events=f"{RESULTS}/templates/redcap_instrument_events.csv",
        redcap_repeating_forms=f"{RESULTS}/templates/redcap_repeating_forms.csv",
        redcap_how_to=f"{RESULTS}/templates/redcap_how_to.txt",
        patients_schema=f"{RESULTS}/templates/patients.schema.json",
        lesions_schema=f"{RESULTS}/templates/lesions.schema.json",
        datapackage=f"{RESULTS}/templates/datapackage.json",
    log:
        f"{RESULTS}/logs/write_templates.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Writing the forms for collecting data."
    script:
        "../../scripts/write_templates.py"


rule template:
    input:
        rules.write_templates.output,
