"""What a heading means: captem's name of the column, found by exact name or by synonym.

A heading is taken apart into its words, the scan it speaks of (`baseline`, `after CAPTEM`), its
reader and its unit; what is left is looked up. Each synonym belongs to one column, so a heading has
one meaning or none. Whether two headings of a file mean the same is for the caller to see.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import pandera.pandas as pa

from captem.schemas import LESIONS, PATIENTS, fields, scans

SCHEMAS = {"patients": PATIENTS, "lesions": LESIONS}
# Columns that say which scan or which lesion a row speaks of, where a table has several rows of a
# patient; the date of the scan is one of them.
VISIT, EVENT, INSTRUMENT, INSTANCE = "visit", "event", "instrument", "instance"
LAYOUT = (VISIT, EVENT, INSTRUMENT, INSTANCE)
DATE = "pet_date"

_BEFORE = frozenset(
    ["pre", "before", "baseline", "basal", "bl", "initial", "vor", "vorher", "avant", "pra", "prae"]
)
_AFTER = frozenset("post after fu nach nachher apres despues dopo".split())  # noqa: SIM905
# What the scans are before and after; said of both, it tells nothing more.
_TREATMENT = frozenset(
    ["captem", "chemo", "chemotherapy", "treatment", "therapy", "therapie", "tx", "rx"]
)
_FOOTNOTES = str.maketrans("", "", "¹²⁰⁴⁵⁶⁷⁸⁹*†‡§")
_LESION_WORDS = (["lesion"], ["les"], ["laesion"], ["lasion"])
_FILLER = frozenset("the of at in on for pet ct scan petct study value".split())  # noqa: SIM905
_JOINED = (
    (r"\bki 67\b", "ki67"), (r"\bmib 1\b", "mib1"), (r"\bsuv max\b", "suvmax"),
    (r"\bsuv mean\b", "suvmean"), (r"\bfollow up\b", "fu"), (r"\bfollowup\b", "fu"),
    (r"\bnach kontrolle\b", "nach"), (r"\b(pre|post)(captem|treatment|chemo)\b", r"\1 \2"),
    (r"\bbase line\b", "baseline"), (r"\bprior to\b", "pre"), (r"\bpet ct\b", "petct"),
)  # fmt: skip
_UNITS = {
    "%": "%", "percent": "%", "prozent": "%", "mm": "mm", "cm": "cm", "mbq": "MBq", "mci": "mCi",
    "gbq": "GBq", "min": "min", "mins": "min", "minutes": "min", "h": "h", "hours": "h",
    "years": "years", "year": "years", "yrs": "years", "y": "years", "jahre": "years",
    "months": "months", "ml": "mL", "cc": "mL", "cm3": "mL", "g ml": "SUV", "suv": "SUV",
    "kbq": "kBq", "m": "m", "days": "days", "weeks": "weeks", "l": "L",
}  # fmt: skip

# Words of a heading for each column, beside captem's own name. Of one scan under their name
# without `_pre` and `_post`.
SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "patients": {
        "patient_id": (
            "patient", "pat id", "pat no", "pat nr", "patient no", "patient nr", "patient number",
            "patient code", "patientid", "pid", "id", "code", "study id", "study no", "study nr",
            "study number", "study code", "subject", "subject id", "subject no", "subject number",
            "participant", "participant id", "record id", "case", "case id", "pseudonym",
            "studien id", "patienten id", "probanden id", "patienten nr", "pat code",
            "patientencode",
        ),
        "age_years": ("age", "age years", "age at baseline", "alter", "edad", "patient age"),
        "sex": ("gender", "geschlecht", "geschl", "sexe", "sexo", "sesso"),
        "primary_site": (
            "primary", "primary tumour", "primary tumor", "primary site", "primary location",
            "primary tumour site", "primary tumor site", "site primary", "tumour site",
            "tumor site", "primary localisation", "primary localization", "primarius",
            "primaertumor", "primartumor", "origin",
        ),
        "mib1": (
            "ki67", "ki67 index", "mib1 index", "mib1 ki67", "ki67 mib1", "mib1 li",
            "ki67 li", "ki67 labelling index", "ki67 labeling index", "mib1 labelling index",
            "mib1 labeling index", "proliferation index", "ki67 proliferation index",
            "mib1 ki67 index", "ki67 mib1 index",
        ),
        "captem_cycles": (
            "cycles", "captem cycles", "cycles captem", "no cycles", "number cycles",
            "number captem cycles", "no captem cycles", "n cycles", "nr cycles", "num cycles",
            "cycles number", "zyklen", "anzahl zyklen", "zyklenzahl", "captem zyklen",
            "cycles completed",
            "captem cycles completed", "cycles given", "cycles n", "captem n", "captem no",
            "captem no cycles", "captem number cycles", "captem cycles n",
        ),
        "captem_start": (
            "start captem", "captem start date", "start date captem", "captem begin",
            "beginn captem", "captem beginn",
            "date captem start", "captem first day", "captem from", "start chemotherapy",
            "chemotherapy start", "chemo start",
        ),
        "captem_end": (
            "end captem", "captem end date", "end date captem", "captem stop", "date captem end",
            "captem last day", "ende captem", "captem ende", "captem until",
            "captem to", "end chemotherapy",
            "chemotherapy end", "chemo end",
        ),
        "last_captem_date": ("last captem", "last captem dose", "date last captem"),
        "who_grade": ("grade", "who", "grading", "net grade", "tumour grade", "tumor grade"),
        "krenning": (
            "krenning score", "krenning grade", "ks", "krenning scale", "modified krenning",
            "modified krenning score", "sstr score", "krenning sc",
        ),
        "suvmax": ("suv", "tumour suvmax", "tumor suvmax", "lesion suvmax", "max suv"),
        "liver_suv": (
            "liver suvmax", "suvmax liver", "suv liver", "leber suv", "suvmax leber",
            "leber suvmax", "normal liver suv",
            "normal liver suvmax", "background liver suv",
        ),
        "spleen_suv": (
            "spleen suvmax", "suvmax spleen", "suv spleen", "milz suv", "suvmax milz",
            "milz suvmax",
        ),
        "pet_date": (
            "date", "scan date", "date scan", "date pet", "pet scan date", "petct date",
            "date petct", "pet datum", "datum pet", "imaging date", "dotatate date",
        ),
        "tracer": ("radiotracer", "radiopharmaceutical", "ligand", "pet tracer"),
        "scanner": ("camera", "gerat", "geraet", "pet scanner", "device", "scanner model"),
        "recon": ("reconstruction", "recon method"),
        "activity_mbq": ("activity", "injected activity", "injected dose", "mbq"),
        "uptake_min": ("uptake time", "p i time", "time p i", "minutes p i", "post injection"),
        "suvmean": ("mean suv", "tumour suvmean", "tumor suvmean"),
        "sstr_tv": ("sstr tumour volume", "sstr tumor volume", "tumour volume", "tumor volume"),
        "fdg_suvmax": ("fdg suv", "suvmax fdg"),
        "netpet": ("netpet grade", "netpet score"),
        "ssa": ("somatostatin analogue", "somatostatin analog"),
        "ssa_last_dose_date": ("last ssa", "last ssa dose", "date last ssa", "ssa last dose"),
        "ct_progression": ("progression", "progression ct", "progressive disease"),
        "mib1_date": ("ki67 date", "date ki67", "biopsy date", "date biopsy", "histology date"),
        "mib1_site": ("ki67 site", "biopsy site", "site biopsy", "histology site"),
        "mitoses": ("mitotic count", "mitotic rate", "mitoses hpf", "mitoses 10 hpf"),
        "dose_reduced": ("dose reduction", "dose reductions"),
        "relative_dose_intensity": ("rdi",),
        "prior_prrt": (
            "previous prrt", "prrt prior", "prrt vorher", "vorherige prrt", "prrt pre",
            "prrt before",
        ),
        "prior_lines": (
            "previous lines", "lines prior", "therapielinien", "therapielinien vorher",
            "no prior lines", "number prior lines",
        ),
        "interval_therapy": (
            "therapy between scans", "treatment between scans", "other therapy", "other treatment",
            "interval treatment", "therapy between", "treatment between",
        ),
        "ecog": ("ecog ps", "performance status", "ps"),
        "functioning": ("functional", "hormone active", "functioning tumour", "functioning tumor"),
        "cga": ("chromogranin a", "chromogranin"),
        "liver_burden": ("hepatic tumour burden", "hepatic tumor burden", "liver tumour burden"),
        "best_response": ("response", "recist", "best recist", "recist response"),
        "last_contact": ("date last contact", "last seen", "letzter kontakt"),
        "vital_status": ("alive", "vital"),
        "not_rescanned_reason": ("reason not rescanned", "reason no fu", "no fu reason"),
        VISIT: (
            "timepoint", "time point", "time", "visit name", "scan no", "scan number", "phase",
            "zeitpunkt", "pet", "scan", "petct", "pet no", "scan type",
        ),
        EVENT: ("redcap event name", "event name"),
        INSTRUMENT: ("redcap repeat instrument", "repeat instrument"),
        INSTANCE: ("redcap repeat instance", "repeat instance"),
    },
    "lesions": {
        "lesion_id": (
            "lesion", "laesion nr", "lasion nr", "lesion no", "lesion nr",
            "lesion number", "target lesion", "lesion name",
            "laesion", "lasion",
        ),
        "lesion_site": (
            "site", "location", "organ", "localisation", "localization",
            "lokalisation", "lesion location",
            "lesion organ", "region",
        ),
        "index_lesion": ("index", "is index", "index lesion"),
        "diameter_mm": (
            "diameter", "size", "longest diameter", "lesion size", "max diameter", "ld",
            "longest dimension", "durchmesser", "groesse",
        ),
        "lesion_status": ("status", "state", "lesion state"),
    },
}  # fmt: skip
for _name in ("patient_id", "krenning", "suvmax", DATE, *LAYOUT):
    SYNONYMS["lesions"][_name] = SYNONYMS["patients"][_name]


class Meaning(NamedTuple):
    """What a heading stands for.

    name : the column without its scan, such as `krenning`, `mib1` or `visit`.
    scan : `pre`, `post`, `both` (the heading names both), or nothing.
    number : which follow-up, from 1.
    unit : the unit that the heading names, or nothing.
    """

    name: str
    scan: str = ""
    number: int = 1
    unit: str = ""


def plain(heading: str) -> str:
    """Return the words of a heading, in lower case, without accents, brackets and signs.

    >>> plain("Ki-67 (%)"), plain("KrenningPre"), plain("SUV max, follow-up")
    ('ki67', 'krenning pre', 'suvmax fu')
    """
    return _taken_apart(heading)[0]


@lru_cache(maxsize=4096)
def meaning(heading: str, table: str) -> Meaning | None:
    """Return what a heading of a table stands for, or None where captem does not know it.

    >>> meaning("Krenning score (after CAPTEM)", "patients")
    Meaning(name='krenning', scan='post', number=1, unit='')
    >>> meaning("Ki-67 (%)", "patients"), meaning("Longest diameter [cm], baseline", "lesions")
    (Meaning(name='mib1', scan='', number=1, unit='%'), \
Meaning(name='diameter_mm', scan='pre', number=1, unit='cm'))
    """
    words, unit = _taken_apart(heading)
    known = _lookup(table)
    parts = words.split()
    for tried in (words, " ".join(word for word in parts if word not in _FILLER)):
        if tried in known and known[tried] != VISIT:
            return _of_one_scan(known[tried], table)._replace(unit=unit)
    if table == "lesions" and parts[:1] in _LESION_WORDS and len(parts) > 1:
        found = meaning(" ".join(parts[1:]), table)
        return found._replace(unit=unit) if found else None
    parts, reader = _reader(parts)
    scan, number, rest = _scan(parts)
    for few in (rest, [word for word in rest if word not in _FILLER]):
        name = known.get(" ".join(few), "") + reader
        if name in _scanned(table):
            return Meaning(name, scan, number, unit)
    return Meaning(known[words], unit=unit) if words in known else None


def _of_one_scan(name: str, table: str) -> Meaning:
    """Return the meaning of a column's own name, taken apart into what it is and of which scan."""
    for stem, sides in _scanned(table).items():
        for scan, full in sides.items():
            if full == name:
                return Meaning(stem, scan)
    return Meaning(name)


def canonical(found: Meaning, table: str) -> str:
    """Return the input column that a heading of one scan, or of the patient, fills; or nothing.

    >>> canonical(Meaning("krenning", "post"), "patients"), canonical(Meaning("mib1"), "patients")
    ('krenning_post', 'mib1')
    >>> canonical(Meaning("krenning"), "patients")
    ''
    """
    if found.name in fields(SCHEMAS[table]):
        return found.name
    return _scanned(table).get(found.name, {}).get(found.scan, "")


def is_heading(text: str) -> bool:
    """Return whether a text is a heading that captem knows, in either table."""
    return any(meaning(text, table) is not None for table in SCHEMAS)


def scan_of(text: str) -> tuple[str, int, list[str]]:
    """Return the scan that a text names, which follow-up it is, and its other words.

    >>> scan_of("Follow-up 2"), scan_of("baseline PET")
    (('post', 2, []), ('pre', 1, ['pet']))
    """
    return _scan(plain(text).split())


def unit_of(heading: str) -> str:
    """Return the unit that a heading names, or nothing.

    >>> unit_of("Size (cm)"), unit_of("Ki-67 (%)"), unit_of("Age")
    ('cm', '%', '')
    """
    return _taken_apart(heading)[1]


def _taken_apart(heading: str) -> tuple[str, str]:
    """Return the words of a heading and the unit it names."""
    text = heading.replace("ß", "ss").replace("³", "3").translate(_FOOTNOTES)
    # The range of a scale and the mark of a footnote are no number of a follow-up.
    text = unicodedata.normalize("NFKD", re.sub(r"[(\[]\s*\d+\s*[-–]\s*\d+\s*[)\]]", " ", text))
    text = "".join(sign for sign in text if not unicodedata.combining(sign))
    unit = ""
    for inside in re.findall(r"[(\[]([^)\]]*)[)\]]", text):
        bare = re.sub(r"[^\w%]+", " ", inside).strip().lower()
        if bare in _UNITS:
            unit = _UNITS[bare]
            text = re.sub(rf"[(\[]{re.escape(inside)}[)\]]", " ", text)
    if "%" in text:
        unit, text = unit or "%", text.replace("%", " ")
    # SUVmax is one word, whatever its capitals.
    text = re.sub(r"suv[\s_-]*(max|mean)", r" suv\1 ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    words = re.sub(r"[\W_]+", " ", text).strip().lower()
    for pattern, joined in _JOINED:
        words = re.sub(pattern, joined, words)
    if found := re.fullmatch(r"(.+) in (\w+)", words):
        inside = found.group(2)
        if inside in _UNITS:
            words, unit = found.group(1), _UNITS[inside]
    return " ".join(words.split()), unit


def _scan(parts: list[str]) -> tuple[str, int, list[str]]:
    """Return the scan that words speak of, which follow-up it is, and the words without that."""
    scan, number, rest = "", 1, []
    for part in parts:
        word = re.fullmatch(r"(post|fu|after|nach)([0-9]{1,2})", part)
        bare = word.group(1) if word else part
        if bare in _BEFORE or bare in _AFTER:
            side = "pre" if bare in _BEFORE else "post"
            scan = side if scan in ("", side) else "both"
            number = int(word.group(2)) if word else number
        elif scan == "post" and part.isdigit() and len(part) <= 2:
            number = int(part)
        else:
            rest.append(part)
    if scan:
        rest = [word for word in rest if word not in _TREATMENT]
    return scan, max(number, 1), rest


_READERS = (
    ("", "reader 1|observer 1|first reader|r1|reader1"),
    ("_reader2", "reader 2|observer 2|second reader|second observer|r2|reader2"),
)


def _reader(rest: list[str]) -> tuple[list[str], str]:
    """Return the words without the reader, and what a second reader adds to the name."""
    text = " ".join(rest)
    for suffix, words in _READERS:
        if re.search(rf"\b({words})\b", text):
            return re.sub(rf"\b({words})\b", " ", text).split(), suffix
    return rest, ""


@lru_cache(maxsize=2)
def _scanned(table: str) -> dict[str, dict[str, str]]:
    return scans(SCHEMAS[table])


@lru_cache(maxsize=2)
def _lookup(table: str) -> dict[str, str]:
    """Return every known wording of a column of a table, each with the column it belongs to."""
    schema: pa.DataFrameSchema = SCHEMAS[table]
    found: dict[str, str] = {}
    own = dict.fromkeys([*fields(schema), *_scanned(table), *LAYOUT, DATE])
    for name in own:
        for wording in (name, *SYNONYMS[table].get(name, ())):
            words = plain(wording)
            if words in found and found[words] != name:
                raise AssertionError(f"{wording!r} stands for {found[words]} and {name}")
            found[words] = name
    return found
