"""Which columns identify a person, by their heading or by what stands in them; and keyed hashes.

A column that is dropped by mistake costs a renamed heading; one that is kept by mistake costs a
name.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

from captem.errors import CaptemError

KEY_VARIABLE = "CAPTEM_ID_KEY"
SHORTEST_KEY = 16

_WORDS = frozenset(
    """
    name names surname forename firstname lastname fullname initials dob birth birthday birthdate
    mrn nhs nhsnumber ssn uhid aadhaar passport phone telephone tel mobile mail email address
    postcode plz zip kin accession nachname vorname geburtsdatum geburtstag geb patientennummer
    fallnummer adresse telefon nom prenom prénom naissance nombre apellido apellidos nacimiento
    cognome nascita
    """.split()  # noqa: SIM905
)
_PHRASES = re.compile(
    r"\b(d o b|e mail|social security|instance uid|"
    r"(record|hospital|mr|cr|reg|registration|case|file|chart|contact|insurance|cell|mobile) "
    r"(id|no|nr|num|number))\b"
)
# Beside the code of a study, a number of the patient is the hospital's.
_PATIENT_NUMBER = re.compile(r"\b(pat|patient|patienten) (id|no|nr|num|number)\b|\bpatnr\b")
_MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
_PHONE = re.compile(r"(\+|00|0)[0-9][0-9 ()/.-]{6,17}[0-9]")
_DAY = re.compile(r"[0-9]{1,4}[-/. ]+[0-9]{1,2}[-/. ]+[0-9]{2,4}")
# A form of address before a name, or a number that is said to be a telephone's.
_SPOKEN_OF = re.compile(
    r"\b(?:Frau|Herrn?|Fr\.|Hr\.|Dr\.|Prof\.|Mrs?\.?|Ms\.?|Mme|Mlle|Sig\.ra|Señora?)\s+"
    r"(?:Dr\.\s+|med\.\s+)*[A-ZÄÖÜÉ][^\W\d_]+"
    r"|\b(?:[Tt]el|[Tt]elefon|[Pp]hone|[Mm]obile?|[Ff]ax)\b\.?\s*:?\s*[+0-9(][0-9 ()/.-]{5,}"
)
_DIGITS = re.compile(r"[0-9]{7,}")
_PERSON = re.compile(
    r"(?:[^\W\d_]{2,}|[^\W\d_]\.)(?:['’-][^\W\d_]+)*(?:,\s*|\s+)(?:[^\W\d_]{2,}|[^\W\d_]\.)"
    r"(?:['’ -][^\W\d_.]+\.?)*"
)
_ENOUGH = 0.5
_SHORTEST_CODE = 4
_SURNAME_FIRST = re.compile(r"[^\W\d_]+(?:[ '’-][^\W\d_]+)*,\s*[^\W\d_]+(?:[ .-][^\W\d_]*)*")
# What most cells of a column look like shows in this many of them.
_LOOKED_AT = 2000


def identifies(heading: str, *, mapped: bool = False) -> bool:
    """Say whether a heading looks like a column that identifies a person.

    With `mapped`, for a heading that the config names: `Patient No` may then be the study's code.

    >>> [identifies(text) for text in ("PatientName", "D.O.B.", "Name, Vorname", "MR No")]
    [True, True, True, True]
    >>> [identifies(text) for text in ("lesion_site", "captem_start", "comment")]
    [False, False, False]
    """
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    words = re.sub(r"[\W\d_]+", " ", parted).strip().lower()
    return bool(
        _WORDS & set(words.split())
        or _PHRASES.search(words)
        or (not mapped and _PATIENT_NUMBER.search(words))
    )


def kind_of(texts: Iterable[str]) -> str:
    """Return what the cells of a column look like: an identity in words, or nothing.

    One e-mail address is enough; telephone numbers have to be more than half of the filled cells,
    so that a single odd note does not cost the column.

    >>> kind_of(["a note", "ward@example.org"]), kind_of(["+49 30 1234567"]), kind_of(["liver"])
    ('e-mail addresses', 'telephone numbers', '')
    """
    filled = [text.strip() for text in dict.fromkeys(texts) if text.strip()]
    if any("@" in text and _MAIL.search(text) for text in filled):
        return "e-mail addresses"
    if _most(_PHONE, [text for text in filled if not _DAY.fullmatch(text)] or [""]):
        return "telephone numbers"
    if any(_SPOKEN_OF.search(text) for text in filled):
        return "people spoken of by name, or telephone numbers in a text"
    named = [text for text in filled[:_LOOKED_AT] if text.istitle()]
    written = _most(_SURNAME_FIRST, named) and len(named) > _ENOUGH * len(filled[:_LOOKED_AT])
    return "names, surname first" if written else ""


def kind_of_codes(texts: Iterable[str]) -> str:
    """Return what the codes of patients look like: an identity in words, or nothing.

    >>> kind_of_codes(["Maria Muster", "Hans, Otto"]), kind_of_codes(["00482913", "1029384756"])
    ('names', 'record numbers')
    >>> kind_of_codes(["A01", "NET-007", "12"]), kind_of_codes(["RETRO 1", "Case report"])
    ('', '')
    """
    filled = [text.strip() for text in dict.fromkeys(texts) if text.strip()]
    if found := kind_of(filled):
        return found
    if _most(_DIGITS, filled):
        return "record numbers"
    some = filled[:_LOOKED_AT]
    people = [text for text in some if text.istitle() and _PERSON.fullmatch(text)]
    return "names" if some and len(people) > _ENOUGH * len(some) else ""


def _most(pattern: re.Pattern[str], filled: list[str]) -> bool:
    some = filled[:_LOOKED_AT]
    return bool(some) and sum(map(bool, map(pattern.fullmatch, some))) > _ENOUGH * len(some)


def without_codes(text: str, code: str, stands_for: str) -> str:
    """Return a text in which a patient's code is replaced by what stands for it.

    A short code may be any number or letter: it is left alone unless it is the whole text.

    >>> without_codes("WARD-A-001/L1", "WARD-A-001", "9f3c"), without_codes("L1", "1", "9f3c")
    ('9f3c/L1', 'L1')
    """
    if len(code) < _SHORTEST_CODE or code not in text:
        return text
    return re.sub(rf"(?<![^\W_]){re.escape(code)}(?![^\W_])", stands_for, text)


def without_address(text: str) -> bool:
    """Say whether a text holds no e-mail address and is no telephone number.

    >>> without_address("octreotide"), without_address("ask ward@example.org")
    (True, False)
    """
    bare = text.strip()
    if _PHONE.fullmatch(bare) and not _DAY.fullmatch(bare):
        return False
    return not ("@" in text and _MAIL.search(text)) and not _SPOKEN_OF.search(text)


def fingerprint(key: str) -> str:
    """Return a text that tells keys apart, for settings that are written down.

    Raises
    ------
    CaptemError
        If the key is missing, or so short that codes could be tried until one fits.
    """
    if len(key) < SHORTEST_KEY:
        said = f"has only {len(key)} signs" if key else "is not set"
        raise CaptemError(
            f"patient_ids: hash needs a key, but the environment variable {KEY_VARIABLE} {said}. "
            f"Make one of at least {SHORTEST_KEY} signs, keep it where the study's list of codes "
            f"is kept, and set it before the run: read -rs {KEY_VARIABLE}; export {KEY_VARIABLE}. "
            "The same key gives the same hashes in every data cut."
        )
    return hmac.new(key.encode(), b"captem: which key", hashlib.sha256).hexdigest()[:16]


def hashed(code: str, key: str) -> str:
    """Return what stands for a patient's code where the config hides it: 16 hexadecimal digits.

    HMAC-SHA256 under the study owner's key: the same code gives the same text in every data cut,
    and without the key nobody can try codes until one fits.

    >>> hashed("A01", "a key for this example") == hashed("A01", "another key, as an example")
    False
    """
    if not code:
        return ""
    return hmac.new(key.encode(), code.encode(), hashlib.sha256).hexdigest()[:16]
