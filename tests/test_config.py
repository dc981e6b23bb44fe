"""Settings: made whole, and explained where they are wrong."""

from __future__ import annotations

import datetime as dt

import pytest
from captem.config import resolve
from captem.cross_checks import CHECKS, SUV_TOLERANCE
from captem.errors import CaptemError
from studies import schema

SOURCE = {"name": "ward", "patients": "patients.csv"}
REDCAP = {"url": "https://redcap.example.org/api/", "token_env": "TOKEN"}
SMALLEST = {"study": "mine", "cut": "2026-01-31", "sources": [SOURCE]}


def test_defaults_are_filled_in():
    settings = resolve(SMALLEST, schema())
    assert settings["criterion"] == {"threshold": 3, "rule": "most"}
    assert settings["on_problem"] == "stop"
    assert settings["confirmatory_sources"] == []
    assert settings["sources"][0]["columns"] == {}
    assert settings["mib1_floor"] == 0.5


def test_a_date_that_yaml_made_is_text_again():
    settings = resolve(SMALLEST | {"cut": dt.date(2026, 1, 31)}, schema())
    assert settings["cut"] == "2026-01-31"


def test_the_checks_of_the_schema_are_those_of_the_code():
    assert resolve(SMALLEST, schema())["checks"] == {
        name: check.level for name, check in CHECKS.items()
    }
    assert resolve(SMALLEST, schema())["suv_tolerance"] == SUV_TOLERANCE


def test_a_bare_off_is_off():
    """YAML makes false of it."""
    settings = resolve(SMALLEST | {"checks": {"tracer_changed": False}}, schema())
    assert settings["checks"]["tracer_changed"] == "off"


def test_the_order_of_keys_does_not_matter():
    reverse = dict(reversed(list(SMALLEST.items())))
    assert list(resolve(reverse, schema())) == list(resolve(SMALLEST, schema()))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cuts": "x"}, "did you mean 'cut'?"),
        ({"criterion": {"rule": "mosst"}}, "did you mean 'most'?"),
        ({"criterion": {"threshold": 5}}, "criterion.threshold"),
        ({"criterion": {"threshold": "3"}}, "criterion.threshold"),
        ({"sources": []}, "sources"),
        ({"sources": [{"name": "ward"}]}, "ward needs patients (a file) or redcap"),
        ({"sources": [SOURCE | {"redcap": REDCAP}]}, "not both"),
        ({"sources": [{"name": "w", "redcap": REDCAP, "lesions": "l.csv"}]}, "remove lesions"),
        ({"sources": [{"name": "w", "redcap": REDCAP | {"token": "x"}}]}, "did you mean"),
        ({"checks": {"tracer_changed": "warn"}}, "did you mean 'warning'?"),
        ({"checks": {"tracer": "off"}}, "did you mean 'tracer_changed'?"),
        ({"suv_tolerance": -1}, "suv_tolerance"),
        ({"patient_ids": "hide"}, "patient_ids"),
        ({"sources": [SOURCE, SOURCE]}, "'ward' stands twice"),
        ({"sources": [SOURCE | {"name": "all"}]}, "'all' is taken"),
        ({"sources": [SOURCE | {"patient": "x"}]}, "did you mean 'patients'?"),
        ({"confirmatory_sources": ["wart"]}, "did you mean 'ward'?"),
        ({"study": "my study"}, "study"),
        ({"study": "../elsewhere"}, "study"),
        ({"mib1_floor": 0}, "mib1_floor"),
        ({"mib1_floor": float("nan")}, "mib1_floor"),
        ({"surrogate": {"none_below": 0.5, "very_low_below": 0.2}}, "is above very_low_below"),
        ({"surrogate": {"none_below": 0}}, "none_below"),
        ({"noise": {"screened": [0, 0, 0, 0, 0]}}, "no patient was screened"),
        ({"noise": {"screened": [1, 2, 3]}}, "noise.screened"),
        ({"noise": {"reliability": [1.0]}}, "noise.reliability"),
        ({"noise": {"reader_errors": [0.1]}}, "did you mean 'reader_error'?"),
        ({"seed": -1}, "seed"),
        ({"study": "mine\n"}, "study"),
        ({"study": 2026}, "quotation marks"),
        (
            {"sources": [SOURCE | {"columns": {"suvmax_pre": "S", "suvmax_post": "S"}}]},
            "given to two names",
        ),
    ],
)
def test_what_is_wrong_is_named(change, words):
    with pytest.raises(CaptemError) as caught:
        resolve(SMALLEST | change, schema())
    assert words in str(caught.value)


def test_all_faults_at_once():
    with pytest.raises(CaptemError) as caught:
        resolve({"study": "x y", "sources": [SOURCE], "typo": 1}, schema())
    assert str(caught.value).count("\n  - ") == 3


def test_every_key_is_described():
    def described(part):
        for key, value in part.get("properties", {}).items():
            yield key, "description" in value or value["type"] == "object"
            yield from described(value)
            yield from described(value.get("items", {}))

    assert all(said for _, said in described(schema()))


TOKEN = "0123456789ABCDEF0123456789abcdef"


@pytest.mark.parametrize(
    "redcap",
    [
        REDCAP | {"token_env": TOKEN},
        REDCAP | {"token_env": "F" + TOKEN},
        REDCAP | {"token_env": TOKEN + " "},
        REDCAP | {"token_env": {"name": TOKEN}},
        REDCAP | {"url": f"https://redcap.example.org/api/?token={TOKEN}"},
        REDCAP | {"url": f"https://redcap.example.org/api/#{TOKEN}"},
        REDCAP | {"url": f"https://me:{TOKEN}@redcap.example.org/api/"},
        REDCAP | {"url": f"https://redcap.example.org/{TOKEN}/"},
        REDCAP | {"url": [TOKEN]},
        TOKEN,
    ],
)
def test_a_token_in_the_config_is_refused_and_not_repeated(redcap):
    with pytest.raises(CaptemError) as caught:
        resolve(SMALLEST | {"sources": [{"name": "w", "redcap": redcap}]}, schema())
    assert TOKEN[:16] not in str(caught.value)
    assert "redcap" in str(caught.value)


def test_an_address_and_the_name_of_a_variable_are_right():
    for url in ("https://redcap.example.org/api/", "http://127.0.0.1:8080/redcap_v14.5/api/"):
        source = {"name": "w", "redcap": {"url": url, "token_env": "REDCAP_TOKEN_2"}}
        assert resolve(SMALLEST | {"sources": [source]}, schema())["sources"][0]["redcap"]["url"]


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        ({"narrow_mm": "88 mm"}, "'88 mm' is not a number; write it alone, without a unit"),
        ({"font": "Arial"}, "put it in square brackets, as in [Arial]"),
    ],
)
def test_a_size_with_its_unit_and_a_single_font_are_explained(profile, words):
    with pytest.raises(CaptemError) as caught:
        resolve(SMALLEST | {"figures": {"profiles": {"own": profile}}}, schema())
    assert words in str(caught.value)
