"""Which columns identify a person, by their heading or by what stands in them; and keyed hashes.

A column that is dropped by mistake costs a renamed heading; one that is kept by mistake costs a
name.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from captem.errors import CaptemError

KEY_VARIABLE = "CAPTEM_ID_KEY"
SHORTEST_KEY = 16

_WORDS = frozenset(
    """
    name names surname forename firstname lastname fullname initials initialen dob yob birth
    birthday birthdate mrn nhs nhi nhsnumber ssn uhid aadhaar aadhar passport phone telephone tel
    mobile handy mail email address postcode plz zip kin accession nachname vorname rufname
    geburtsdatum geburtstag geb patientennummer fallnummer adresse anschrift wohnort telefon nom
    prenom prénom naissance nombre apellido apellidos nacimiento cognome nascita
    """.split()  # noqa: SIM905
)
# Anywhere in the letters of a heading that is written in one word.
_STEMS = re.compile(
    "patient(en|s)?name|nameof(the)?patient|famil(y|ien)name|(sur|nach|vor|ruf|last|first|full|"
    "given|middle|maiden|mother|father|husband|guardian)s?name|birth|geburt|gebdat|"
    "medical?rec|medrec|mrnum|hosp(ital)?(no|nr|num|id)|nhsn|aufnahmen(umme)?r|falln(umme)?r|"
    "versiche(rten|rungs)n|krankenkasse|krankenversicher|socialsecurity|sozialversicherung|"
    "aadh?aar|aadhar|passport|(phone|mobile|telefon|handy)n(o$|r|um)|mobiltelefon|emailid|"
    "emailadd|instanceuid|accessionn|wohnort|strasse|postleitzahl|homeaddress|wohnadresse"
)
# The letters of a whole heading.
_WHOLE = frozenset(
    """
    dob yob bdate birthdt init kontakt contact contactno contactnum contactnr contactnumber phno
    telno telnr emailid mrno crno ptname patname pname cellno street
    """.split()  # noqa: SIM905
)
_PHRASES = re.compile(
    r"\b(d o b|e mail|social security|instance uid|"
    r"(record|hospital|hosp|mr|cr|ipd|opd|ip|sap|fall|reg|registration|case|file|chart|contact|"
    r"insurance|cell|mobile|ph) "
    r"(id|no|nr|num|number|nummer))\b|\b(contact|kontakt) (person|details|daten)\b"
)
# What has a name and is nobody.
_THINGS = frozenset(
    """
    lesion les scanner camera device file visit event scan series tracer ligand drug agent
    medication product regimen protocol study trial site organ region variable field form
    instrument column sheet source tumour tumor test assay kit software redcap repeat target
    """.split()  # noqa: SIM905
)
_OF = frozenset("name names of the id no nr code model type".split())  # noqa: SIM905
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
# A number inside a text: of another country, or with an area code apart from the rest.
_PHONE_IN = re.compile(
    r"(?<![\w.,+])(?:(?:\+|00)[1-9][0-9 ()/.-]{6,17}[0-9]"
    r"|\(?0[1-9][0-9]{1,4}\)?[ /-]{1,3}[0-9][0-9 /-]{3,12}[0-9])(?!\w)"
)
_DECIMAL = re.compile(r"[+-]?[0-9]+[.,][0-9]+")
# Too long for a score, a count or a percentage, and no number begins with 0.
_LONG_NUMBER = re.compile(r"0[1-9][0-9]{7,13}")
_DIGITS = re.compile(r"[0-9]{7,}")
_BIRTHDAY = re.compile(
    r"(?:(?:19[0-9]{2}|200[0-9])([-/.])(?:0?[1-9]|1[0-2])\1(?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([-/. ])(?:0?[1-9]|[12][0-9]|3[01])\2 ?(?:19[0-9]{2}|200[0-9]))"
    r"(?:[ T]00:00(?::00)?(?:\.0+)?)?"
)
# A year or day of birth behind a name.
_BORN = re.compile(
    r"[\s,;]*[*(]*\s*(?:geb\.?|born|b\.)?\s*(?:[0-9]{1,2}[-/.]){0,2}(?:19|20)[0-9]{2}\)?"
)
# Words of codes such as Case report or patient one, and of places such as Liver, Left.
_NO_NAMES = frozenset(
    """
    case cases report patient patients pat pt retro retrospective prospective pro ward study net
    nets subject control group arm cohort series index proband participant teilnehmer fall
    pilot site centre center id no nr code lesion scan pet first second
    third one two three four five six seven eight nine ten eins zwei drei alpha beta gamma delta
    epsilon zeta left right upper lower links rechts liver lung bone node nodes lymph pancreas bowel
    small large spleen kidney unknown response disease partial complete stable progressive
    """.split()  # noqa: SIM905
)
_PATIENT = frozenset("pat patient patients patienten pt pts person proband".split())  # noqa: SIM905
_PERSON = re.compile(
    r"(?:[^\W\d_]{2,}|[^\W\d_]\.)(?:['’-][^\W\d_]+)*(?:,\s*|\s+)(?:[^\W\d_]{2,}|[^\W\d_]\.)"
    r"(?:['’ -][^\W\d_.]+\.?)*"
)
_ENOUGH = 0.5
_SHORTEST_ADDRESS = 6
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
    text = re.sub(r"[#№]|\bn[°º]", " no ", heading.replace("ß", "ss"))
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", text)
    for way in (text, parted):
        words = re.sub(r"[\W\d_]+", " ", way).strip().lower()
        parts = set(words.split())
        if {"name", "names"} & parts and parts & _THINGS and parts <= _THINGS | _OF:
            continue
        letters = words.replace(" ", "")
        if (
            _WORDS & parts
            or _PHRASES.search(words)
            or _STEMS.search(letters)
            or letters in _WHOLE
            or (not mapped and _PATIENT_NUMBER.search(words))
        ):
            return True
    return False


def of_patients(heading: str) -> bool:
    """Return whether a heading says no more than that its cells tell who the patient is.

    >>> of_patients("Pat."), of_patients("Patient status")
    (True, False)
    """
    return re.sub(r"[\W\d_]+", "", heading).lower() in _PATIENT


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
    return "names, surname first" if _surnames(filled[:_LOOKED_AT]) else ""


def _surnames(some: list[str]) -> bool:
    """Return whether most texts are `Surname, First name`, and the surnames differ."""
    named = [
        text.lower() for text in some
        if (text.istitle() or text.isupper()) and _SURNAME_FIRST.fullmatch(text)
        and not _NO_NAMES & set(re.split(r"\W+", text.lower()))
    ]  # fmt: skip
    different = {text.split(",")[0] for text in named}
    return len(named) > _ENOUGH * len(some) and len(different) > _ENOUGH * len(named)


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
    if _most(_BIRTHDAY, filled):
        return "dates of birth"
    return "names" if _people(filled[:_LOOKED_AT]) else ""


def _people(some: list[str]) -> bool:
    """Return whether most texts are a first name and a surname, in whatever capitals."""
    found = []
    for text in some:
        bare = text.rstrip()
        if born := re.search(_BORN.pattern + r"$", bare):
            bare = bare[: born.start()]
        words = re.split(r"[\W\d_]+", bare.lower())
        if _PERSON.fullmatch(bare) and not _NO_NAMES & set(words):
            found.append((bare.istitle(), words[0]))
    if not some or len(found) <= _ENOUGH * len(some):
        return False
    # In capitals of another kind they may be words of any kind: those of people differ.
    titled = sum(title for title, _ in found)
    return titled > _ENOUGH * len(some) or 2 * len({first for _, first in found}) > len(found)


def _most(pattern: re.Pattern[str], filled: list[str]) -> bool:
    some = filled[:_LOOKED_AT]
    return bool(some) and sum(map(bool, map(pattern.fullmatch, some))) > _ENOUGH * len(some)


class Codes:
    """What stands for each code of a table, found in any text however the code is written there.

    `WARD-001` is found as `ward 001` and in `WARD001L2`. Codes of three signs have to stand alone;
    of those with fewer, and of short numbers, only a whole cell can be told from other numbers.
    """

    def __init__(self, codes: Mapping[str, str]):
        self._known: dict[str, str] = {}
        self._whole: dict[str, str] = {}
        runs: set[int] = set()
        for code, stands_for in codes.items():
            letters = _bare(code)
            if not letters:
                continue
            self._whole.setdefault(letters, stands_for)
            if len(letters) > _SHORT_NUMBER or (
                len(letters) == _SHORT_NUMBER and not letters.isdigit()
            ):
                self._known.setdefault(letters, stands_for)
                runs.add(len(_RUN.findall(code)))
        self._runs = sorted(runs, reverse=True)

    def whole(self, text: str) -> str | None:
        """Return what stands for a text that is a code and nothing else."""
        return self._whole.get(_bare(text))

    def out_of(self, text: str, *, numbers: bool = True, first: bool = False) -> str:
        """Return a text with its codes replaced.

        Parameters
        ----------
        numbers : also replace codes of digits alone; not in a cell that may be a number or a date.
        first : also replace short numbers that the text begins with: `101-L1`.

        >>> codes = Codes({"WARD-001": "9f3c", "A01": "77aa", "1": "00ff"})
        >>> codes.out_of("ward001L2, A01_3, A012, L1")
        '9f3cL2, 77aa_3, A012, L1'
        """
        runs = list(_RUN.finditer(text))
        days = [found.span() for found in _DAY.finditer(text)] if runs else []
        parts, end, at = [], 0, 0
        while at < len(runs):
            found = self._at(text, runs, at, numbers, days)
            if found is None and first and at == 0:
                found = self._short_number(text, runs)
            if found is None:
                at += 1
                continue
            stands_for, size = found
            parts += [text[end : runs[at].start()], stands_for]
            end = runs[at + size - 1].end()
            at += size
        return "".join([*parts, text[end:]]) if parts else text

    def _at(
        self, text: str, runs: list[re.Match[str]], at: int, numbers: bool,
        days: list[tuple[int, int]],
    ) -> tuple[str, int] | None:  # fmt: skip
        for size in self._runs:
            own = runs[at : at + size]
            if len(own) < size or any(
                after.start() - before.end() > _WIDEST_GAP for before, after in pairwise(own)
            ):
                continue
            letters = "".join(run.group().casefold() for run in own)
            if letters not in self._known:
                continue
            start, end = own[0].start(), own[-1].end()
            if len(letters) <= _SHORT_NUMBER and (
                text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
            ):
                continue
            if letters.isdigit() and (
                not numbers
                or any(start < last and first < end for first, last in days)
                or re.search(r"[0-9][.,]$", text[:start])
                or re.match(r"[.,][0-9]", text[end:])
            ):
                continue
            return self._known[letters], size
        return None

    def _short_number(self, text: str, runs: list[re.Match[str]]) -> tuple[str, int] | None:
        letters = runs[0].group()
        after = text[runs[0].end() : runs[0].end() + 1]
        known = len(letters) == _SHORT_NUMBER and runs[0].start() == 0 and letters in self._whole
        return (self._whole[letters], 1) if known and after and not after.isalnum() else None


_RUN = re.compile(r"[0-9]+|[^\W0-9_]+")
_SHORT_NUMBER, _WIDEST_GAP = 3, 3


def _bare(text: str) -> str:
    return "".join(_RUN.findall(text)).casefold()


def without_address(text: str, *, exact: bool = False) -> bool:
    """Say whether a text holds no e-mail address, no telephone number and nobody's name.

    With `exact`, for a cell of a score, count or percentage, where no other number is so long.

    >>> without_address("octreotide"), without_address("ask ward@example.org")
    (True, False)
    >>> without_address("call 0171 1234567"), without_address("seen 01.02.2025, SUV 0.0123456")
    (False, True)
    """
    if len(text) < _SHORTEST_ADDRESS:
        return True
    bare = text.strip()
    if "@" in text and _MAIL.search(text):
        return False
    if exact and _LONG_NUMBER.fullmatch(bare):
        return False
    for found in _PHONE_IN.finditer(text):
        if not _DECIMAL.fullmatch(found.group()) and not _DAY.fullmatch(found.group()):
            return False
    return not _SPOKEN_OF.search(text)


def is_telephone(text: str) -> bool:
    """Say whether a text is a telephone number as a whole, in whatever grouping."""
    bare = text.strip()
    return bool(
        _PHONE.fullmatch(bare) and not _DAY.fullmatch(bare) and not _DECIMAL.fullmatch(bare)
    )


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
