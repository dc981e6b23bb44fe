"""What each audience gets: nothing it may not have, the same bytes, described for machines."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import docx
import openpyxl
import pypdf
import pytest
import yaml
from captem import bundle, bundle_contents, bundle_search, ro_crate
from captem.bundle_contents import AUDIENCES, COAUTHOR, KINDS, PATIENT, PRIVATE, PUBLIC
from captem.bundle_readme import About
from captem.errors import CaptemError
from conftest import ROOT, make_clone
from figure_data import FIGURES
from test_workflow import contents, write_study

workflow = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
OTHERS = (COAUTHOR, PUBLIC)


def about(audience: str, **changed) -> About:
    facts = {"min_count": 5 if audience == PUBLIC else 0, "data": "recorded", "listing": False}
    return About(audience=audience, **(facts | {"released": "2026-11-22"} | changed))


def provenance(**changed) -> dict:
    source = {"name": "ward", "patients": "/home/anna/net/patients.xlsx", "columns": {}}
    config = {"study": "mine", "cut": "2026-01-31", "sources": [source],
              "disclosure": {"min_count": 0}}  # fmt: skip
    return {
        "study": "mine",
        "cut": "2026-01-31",
        "inputs": {"/home/anna/net/patients.xlsx": "0" * 64},
        "config": config,
        "code": {"version": "0.1.0", "sha256": "1" * 64, "lock": "2" * 64},
        "python": "3.11.7",
        "packages": {"snakemake": "9.27.1"},
    } | changed


def made(audience: str, results: dict[str, bytes], codes=(), **changed) -> dict[str, bytes]:
    """Return name -> content of a bundle of a few files."""
    packed = bundle.make(
        about(audience), results, {"Snakefile": b"rule all:\n"}, provenance(**changed), codes
    )
    return unpacked(packed)


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as pack:
        return {name.partition("/")[2]: pack.read(name) for name in pack.namelist()}


# Who may have what.


def names_of_readme() -> dict[str, str]:
    """Return file -> level, as the table of results/README.md and the text below it say."""
    text = (ROOT / "results/README.md").read_text(encoding="utf-8")
    patients = set()
    for paragraph in text.split("\n\n"):
        for sentence in re.split(r"(?<=[a-z)])\. ", paragraph):
            if "**patient**-level" in sentence:
                patients |= set(re.findall(r"`(figures/\w+\.csv)`", sentence))
    found = {}
    for files, level in re.findall(r"^\| ([^|]+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE):
        quoted = re.findall(r"`([^`]+)`", files)
        for number, name in enumerate(quoted):
            if "." not in name and not name.endswith("/"):
                name = f"{quoted[0].rpartition('.')[0]}.{name}"
            elif number and "/" not in name:
                name = f"{quoted[0].rpartition('/')[0]}/{name}"
            for written in examples(name):
                found[written] = level.strip("* ")
    for name, level in found.items():
        if level == "see below" and name.startswith("figures/"):
            found[name] = "patient" if name in patients else "aggregate"
    return found


def examples(name: str) -> list[str]:
    """Return files that a name of the README may stand for."""
    if name.endswith("/"):
        inside = {"templates/": ["entry_form.xlsx"], "disclosure/": ["masked.csv", "flow.csv"]}
        found = [f"{name}{file}" for file in inside.get(name, ["flow.csv"])]
        return ["summary.html"] if name == "public/" else found
    if name.startswith("tables/<name>"):
        return [name.replace("<name>", table) for table in ("characteristics", "models")]
    if name.startswith("figures/<name>"):
        return [name.replace("<name>", figure) for figure in FIGURES]
    name = name.replace("<model>", "model.krenning").replace("<source>_<table>", "ward_lesions")
    name = name.replace("<study>_<cut>_<audience>", "mine_1_private")
    return [name.replace(".*", kind) for kind in (".svg", ".csv", ".txt")]


def test_the_levels_are_those_of_the_readme():
    written = names_of_readme()
    assert {"figures/timeline.csv", "cohort/ingested/flow.csv", "logs/flow.csv"} <= set(written)
    assert written["figures/timeline.csv"] == "patient" != written["figures/forest.csv"]
    wrong = {name: (level, bundle_contents.level_of(name)) for name, level in written.items()
             if level not in ("see below", bundle_contents.level_of(name))}  # fmt: skip
    assert wrong == {}


def test_every_kind_of_file_is_explained_in_the_readme():
    told = {bundle_contents.kind_of(name) for name in names_of_readme()}
    # A mark between two rules, of no use to a reader.
    assert [kind.pattern for kind in KINDS if kind not in told] == [r"cohort/checked\.txt"]


def test_no_patient_level_file_is_for_others():
    assert [kind for kind in KINDS if kind.level == PATIENT and set(kind.audiences) & set(OTHERS)
            ] == []  # fmt: skip


def test_what_the_public_may_have_coauthors_may_too_and_the_group_most():
    order = [(PRIVATE,), (PRIVATE, COAUTHOR), AUDIENCES, ()]
    assert [kind for kind in KINDS if kind.audiences not in order] == []


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize(
    "name",
    ["logs/ingest_cohort.log", "figures/a_new_one.csv", "figures/a_new_one.svg", "patients.csv",
     "tables/of_each.csv", "bundle/x_1_private.zip", "cohort/ingested/patients.csv",
     "figures/waterfall.csv/../../cohort/patients.csv", "statistics.csv.bak"],
)  # fmt: skip
def test_what_is_not_listed_is_in_no_bundle(audience, name):
    assert not bundle_contents.allowed(name, audience)
    with pytest.raises(CaptemError, match="nothing was written"):
        made(audience, {name: b""})


@pytest.mark.parametrize("name", ["summary.html", "tables/tables.xlsx"])
def test_a_listing_makes_what_holds_it_patient_level(name):
    assert bundle_contents.allowed(name, PRIVATE, listing=True)
    assert not any(bundle_contents.allowed(name, audience, listing=True) for audience in OTHERS)
    assert all(bundle_contents.allowed(name, audience) for audience in AUDIENCES)
    assert "listing: false" in bundle_contents.left_out(COAUTHOR, listing=True)[0]


def test_a_masked_copy_never_stands_beside_what_it_was_masked_from():
    paths = ["results/mine/statistics.csv", "results/mine/public/disclosure/statistics.csv"]
    assert bundle_contents.chosen(paths[1:], "results/mine", PUBLIC) == {"statistics.csv": paths[1]}
    with pytest.raises(ValueError, match=r"would both be statistics\.csv"):
        bundle_contents.chosen(paths, "results/mine", PUBLIC)


# Codes and places.


def docx_of(*runs: str) -> bytes:
    document = docx.Document()
    paragraph = document.add_paragraph()
    for run in runs:
        paragraph.add_run(run)
    packed = io.BytesIO()
    document.save(packed)
    return packed.getvalue()


@pytest.mark.parametrize("audience", OTHERS)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("statistics.csv", b"row_id,term\nx,R001\n"),
        ("summary.html", b"<p>In <b>R0</b>01 uptake rose.</p>"),
        ("figures/flow.svg", b'<svg><g id="R001"/></svg>'),
        ("figures/flow.txt", b"R001, as drawn."),
        ("manuscript/manuscript.docx", docx_of("Of patient R0", "01 we know")),
        ("manuscript/manuscript.md", b"(R001)"),
    ],
)
def test_a_file_that_names_a_patient_is_in_no_bundle_for_others(audience, name, data):
    with pytest.raises(CaptemError, match=rf"{re.escape(name)} names the patient R001"):
        made(audience, {name: data}, codes=["R001", "R002"])
    assert made(PRIVATE, {name: data}, codes=["R001"])[name] == data
    assert made(audience, {name: data}, codes=["R0012", "01", "Case"])[name] == data


def test_what_only_looks_like_a_code_is_none():
    svg = b'<svg><style>.A01{}</style><path d="M1 A01 2" id="xA01y"/><text>A013, BA01</text></svg>'
    assert bundle_search.found_in("figures/flow.svg", svg, ["A01"]) == []
    picture = b'<img src="data:image/png;base64,AAA+A01+/=">'
    assert bundle_search.found_in("summary.html", picture, ["A01"]) == []


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize(
    ("path", "own", "others"),
    [
        ("/home/anna/net/patients.xlsx", "patients.xlsx", "ward/patients.xlsx"),
        (r"C:\Users\anna\net.csv", "net.csv", "ward/patients.csv"),
        ("../anna/net.csv", "net.csv", "ward/patients.csv"),
        ("data/anna & co.csv", "data/anna & co.csv", "ward/patients.csv"),
    ],
)
def test_places_are_renamed_everywhere(audience, path, own, others):
    config = provenance()["config"]
    config["sources"][0]["patients"] = path
    escaped = path.replace("&", "&amp;")
    pack = made(
        audience,
        {"summary.html": f"<li>{escaped} (rows: 3)</li>".encode(), "statistics.csv": b"row_id\n"},
        config=config,
        inputs={path: "0" * 64},
    )
    name = own if audience == PRIVATE else others
    assert yaml.safe_load(pack["config.yaml"])["sources"][0]["patients"] == name
    assert json.loads(pack["provenance.json"])["inputs"] == {name: "0" * 64}
    shown = name.replace("&", "&amp;") if audience == PRIVATE else name
    assert pack["summary.html"].decode() == f"<li>{shown} (rows: 3)</li>"
    if audience != PRIVATE:
        assert [file for file, data in pack.items() if b"anna" in data] == []


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_address_of_redcap_is_for_the_group_alone(audience):
    config = provenance()["config"]
    redcap = {"url": "https://redcap.ward.example/api/", "token_env": "WARD_TOKEN"}
    config["sources"] = [{"name": "ward", "redcap": redcap}]
    page = b"<dd>https://redcap.ward.example/api/</dd><dd>WARD_TOKEN</dd>"
    pack = made(audience, {"summary.html": page}, config=config, inputs={})
    holding = [name for name, data in pack.items() if b"redcap.ward" in data or b"WARD" in data]
    expected = ["config.yaml", "provenance.json", "summary.html"]
    assert sorted(holding) == (expected if audience == PRIVATE else [])


def test_a_place_that_cannot_be_renamed_stops_the_bundle():
    written = docx_of("read from /home/anna/net/patients.xlsx")
    with pytest.raises(CaptemError, match=r"manuscript\.docx names the place /home/anna"):
        made(COAUTHOR, {"manuscript/manuscript.docx": written})


def test_the_listing_is_known_wherever_it_is_put():
    note = "Patient-level:  every line\nis one person. Not for a bundle"
    with pytest.raises(CaptemError, match=r"manuscript\.md holds the listing of patients"):
        made(COAUTHOR, {"manuscript/manuscript.md": note.encode()})
    assert made(PRIVATE, {"manuscript/manuscript.md": note.encode()})


# The zip.


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_bytes_depend_on_the_contents_alone(audience):
    results = {"statistics.csv": b"a,b\n1,2\n", "figures/flow.svg": b"<svg/>"}
    first = bundle.make(about(audience), results, {"Snakefile": b""}, provenance(), [])
    before = os.umask(0o077)
    try:
        turned = dict(reversed(results.items()))
        second = bundle.make(about(audience), turned, {"Snakefile": b""}, provenance(), [])
    finally:
        os.umask(before)
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as pack:
        members = pack.infolist()
        assert pack.testzip() is None
    assert [item.filename for item in members] == sorted(item.filename for item in members)
    assert {item.date_time for item in members} == {(1980, 1, 1, 0, 0, 0)}
    assert {item.external_attr >> 16 for item in members} == {0o100644}
    assert {item.filename.partition("/")[0] for item in members} == {f"mine_2026-01-31_{audience}"}


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_readme_names_every_file_and_what_is_left_out(audience):
    pack = made(audience, {"statistics.csv": b"row_id\n", "tables/models.docx": docx_of("x")})
    text = pack["README.txt"].decode()
    listed = text.partition("What is in it\n\n")[2].partition("\n\n")[0].splitlines()
    assert {line.split("  ")[0].strip() for line in listed} == set(pack)
    assert all(line.split("  ", 1)[1].strip() for line in listed)
    joined = " ".join(text.split())
    assert all(said in joined for said in bundle_contents.left_out(audience))
    assert ("Counts below 5 are masked" in joined) == (audience == PUBLIC)
    assert "synthetic" not in joined.lower()


@pytest.mark.parametrize(
    ("data", "said"),
    [("synthetic", "SYNTHETIC DATA"), ("partly synthetic", "PARTLY SYNTHETIC DATA")],
)
def test_synthetic_data_are_called_so(data, said):
    pack = unpacked(
        bundle.make(about(PRIVATE, data=data), {}, {"Snakefile": b""}, provenance(), [])
    )
    assert said in pack["README.txt"].decode()
    crate = json.loads(pack[ro_crate.METADATA])
    (root,) = [entity for entity in crate["@graph"] if entity["@id"] == "./"]
    assert said in root["description"]


@pytest.mark.parametrize("why", ["Permission denied", "No such file or directory"])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path, monkeypatch, why):
    def refuse(path):
        raise OSError(13, why)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(CaptemError, match=rf"statistics\.csv cannot be read \({why}\)"):
        bundle.read_all(["statistics.csv"], [str(tmp_path / "statistics.csv")])


def test_a_bundle_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "bundle").write_text("a file where a folder should be")
    with pytest.raises(CaptemError, match=r"x\.zip cannot be written"):
        bundle.write(str(tmp_path / "bundle/x.zip"), b"")


# The description for machines.


def crate_of(pack: dict[str, bytes]) -> dict[str, dict]:
    graph = json.loads(pack[ro_crate.METADATA])["@graph"]
    found = {entity["@id"]: entity for entity in graph}
    assert len(found) == len(graph), "an entity stands twice"
    return found


def links(value) -> set[str]:
    """Return every link of an entity to another."""
    if isinstance(value, list):
        return set().union(*map(links, value))
    if isinstance(value, dict):
        return {value["@id"]} if set(value) == {"@id"} else links(list(value.values()))
    return set()


def check_crate(pack: dict[str, bytes]) -> None:
    """Hold a bundle against what RO-Crate 1.1 and Workflow Run Crate 0.5 require."""
    found = crate_of(pack)
    context = json.loads(pack[ro_crate.METADATA])["@context"]
    assert context == ["https://w3id.org/ro/crate/1.1/context",
                       "https://w3id.org/ro/terms/workflow-run/context"]  # fmt: skip
    descriptor = found["ro-crate-metadata.json"]
    assert descriptor["about"] == {"@id": "./"}
    assert "https://w3id.org/ro/crate/1.1" in links(descriptor["conformsTo"])
    root = found["./"]
    assert root["@type"] == "Dataset"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", root["datePublished"])
    assert root["name"] and root["description"] and found[root["license"]["@id"]]["description"]
    profiles = {"https://w3id.org/ro/wfrun/process/0.5", "https://w3id.org/ro/wfrun/workflow/0.5",
                "https://w3id.org/workflowhub/workflow-ro-crate/1.0"}  # fmt: skip
    assert links(root["conformsTo"]) == profiles
    assert all(found[link]["@type"] == "CreativeWork" for link in profiles)
    main = found[root["mainEntity"]["@id"]]
    assert main["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert found[main["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    assert found[main["license"]["@id"]]["name"] == "MIT License"
    action = found[root["mentions"]["@id"]]
    assert action["@type"] == "CreateAction"
    assert action["instrument"] == root["mainEntity"]
    assert links(action["result"]) <= links(root["hasPart"])
    assert {"statistics.csv", "provenance.json"} <= links(action["result"])
    assert "config.yaml" in links(action["object"])
    requirements = [found[link] for link in links(main["softwareRequirements"])]
    assert {item["@type"] for item in requirements} == {"SoftwareApplication"}
    assert {"Python", "snakemake"} <= {item["name"] for item in requirements}
    assert all(item["softwareVersion"] for item in requirements)
    # Every file of the zip, as it is; every link leads somewhere.
    files = links(root["hasPart"])
    assert files == set(pack) - {ro_crate.METADATA}
    for name in files:
        assert "File" in found[name]["@type"]
        assert found[name]["contentSize"] == str(len(pack[name]))
        assert found[name]["sha256"] == hashlib.sha256(pack[name]).hexdigest()
        assert "/" in found[name]["encodingFormat"]
    inside = {link for entity in found.values() for link in links(list(entity.values()))}
    # The two that only name something: the specification, and what Snakemake itself calls its page.
    outside = {"https://w3id.org/ro/crate/1.1", "https://snakemake.readthedocs.io",
               "https://doi.org/10.1093/bioinformatics/bts480"}  # fmt: skip
    assert inside - outside <= set(found)
    text = pack[ro_crate.METADATA].decode()
    assert not re.search(r"startTime|endTime|\"agent\"", text)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_crate_has_what_its_profiles_require(audience):
    pack = made(audience, {"statistics.csv": b"row_id\n", "figures/flow.svg": b"<svg/>"})
    check_crate(pack)
    found = crate_of(pack)
    (action,) = [item for item in found.values() if item["@type"] == "CreateAction"]
    inputs = [found[link] for link in links(action["object"]) if link.startswith("#input")]
    name = "patients.xlsx" if audience == PRIVATE else "ward/patients.xlsx"
    assert [(item["name"], item["sha256"]) for item in inputs] == [(name, "0" * 64)]


@pytest.mark.parametrize(
    ("cut", "day", "said"),
    [("2026-01-31", "2026-01-31", "the date of the data cut"),
     ("first", "2026-11-22", "is no date"), ("2026-02-30", "2026-11-22", "is no date")],
)  # fmt: skip
def test_the_date_is_that_of_the_data_cut(cut, day, said):
    root = crate_of(made(PRIVATE, {"statistics.csv": b""}, cut=cut))["./"]
    assert root["datePublished"] == day
    assert said in root["description"]


# Whole runs.


class _Words(HTMLParser):
    """Every text and attribute of a page, pictures apart."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        if tag not in ("path", "use", "img", "style"):
            self.found += [value or "" for _, value in attributes]

    def handle_data(self, data):
        self.found.append(data)


def words_of(name: str, data: bytes) -> str:
    """Return all text of a file, read by another way than the one under test."""
    kind = name.rpartition(".")[2]
    if kind in ("html", "svg"):
        parser = _Words()
        parser.feed(data.decode())
        return "\n".join(parser.found)
    if kind == "docx":
        document = docx.Document(io.BytesIO(data))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *cells])
    if kind == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(data))
        return "\n".join(
            str(value) for sheet in book for row in sheet.iter_rows(values_only=True)
            for value in row if value is not None
        )  # fmt: skip
    if kind == "pdf":
        return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(data)).pages)
    return "" if kind in ("png", "tiff") else data.decode()


def naming(pack: dict[str, bytes], codes: set[str]) -> set[str]:
    """Return the files of a bundle in which a code stands."""
    pattern = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, codes))})(?![A-Za-z0-9])")
    return {name for name, data in pack.items() if pattern.search(words_of(name, data))}


def patients_of(results: Path) -> set[str]:
    with (results / "cohort/patients.csv").open(encoding="utf-8", newline="") as stream:
        return {row["patient_id"] for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def packs(example):
    """The bundles of the example for each audience, and what the run for it said."""
    results = example.results()
    before = {path for path in results.rglob("*") if path.is_file()}
    found = {}
    for audience in AUDIENCES:
        kept = contents(results)
        done = example.snakemake("bundle", "--config", f"audience={audience}")
        assert done.returncode == 0, done.stdout
        changed = {name for name, digest in contents(results).items() if kept.get(name) != digest}
        path = results / f"bundle/example_2026-11-01_{audience}.zip"
        found[audience] = (unpacked(path.read_bytes()), done.stdout, changed)
    yield found
    for path in {path for path in results.rglob("*") if path.is_file()} - before:
        path.unlink()
    shutil.rmtree(results / "public")


class TestWholeRuns:
    pytestmark = workflow

    def test_nobody_else_finds_a_patient(self, example, packs):
        codes = patients_of(example.results())
        assert len(codes) == 60
        named = naming(packs[PRIVATE][0], codes)
        assert {"cohort/patients.csv", "figures/timeline.csv"} <= named
        assert {name for name in named if bundle_contents.level_of(name) != PATIENT} == set()
        assert {audience: naming(packs[audience][0], codes) for audience in OTHERS} == {
            COAUTHOR: set(), PUBLIC: set()
        }  # fmt: skip

    def test_each_gets_what_is_worth_reading(self, packs):
        for pack, _, _ in packs.values():
            assert {"README.txt", "config.yaml", "summary.html", "statistics.csv", "Snakefile",
                    "provenance.json", "figures/forest.pdf", "tables/models.docx",
                    "tables/tables.xlsx", "manuscript/manuscript.docx", "cohort/flow.csv",
                    "manuscript/strobe.docx", ro_crate.METADATA} <= set(pack)  # fmt: skip
        assert set(packs[PUBLIC][0]) < set(packs[COAUTHOR][0]) < set(packs[PRIVATE][0])
        assert "figures/waterfall.pdf" in packs[COAUTHOR][0]
        assert "figures/waterfall.pdf" not in packs[PUBLIC][0]

    @pytest.mark.parametrize("audience", AUDIENCES)
    def test_the_crate_is_whole(self, packs, audience):
        check_crate(packs[audience][0])

    def test_every_file_that_a_run_writes_has_its_kind(self, example, packs):
        results = example.results()
        names = {bundle_contents.name_of(f"results/example/{path.relative_to(results)}",
                                         "results/example")
                 for path in results.rglob("*")
                 if path.is_file() and not path.name.startswith(".")}  # fmt: skip
        assert len(names) > 150
        assert {name for name in names if bundle_contents.kind_of(name) is None} == set()

    def test_the_public_gets_the_masked_copies(self, example, packs):
        results, pack = example.results(), packs[PUBLIC][0]
        for name in ("statistics.csv", "transitions/matrix.csv", "cohort/flow.csv"):
            masked = (results / "public/disclosure" / name).read_bytes()
            assert pack[name] == masked != (results / name).read_bytes()
            assert packs[COAUTHOR][0][name] == (results / name).read_bytes()
        assert yaml.safe_load(pack["config.yaml"])["disclosure"]["min_count"] == 5

    def test_the_results_stay_as_they_are(self, example, packs):
        for audience, (_, _, changed) in packs.items():
            allowed = ("bundle/", "public/", "manuscript/")
            assert {name for name in changed if not name.startswith(allowed)} == set(), audience
        assert {name for name in packs[PUBLIC][2] if name.startswith("manuscript/")} == set()
        done = example.snakemake("--dry-run")
        assert "Nothing to be done" in done.stdout

    def test_the_run_says_where_it_is_and_what_is_missing(self, packs):
        for audience, (pack, said, _) in packs.items():
            assert f"bundle/example_2026-11-01_{audience}.zip ({len(pack)} files)" in said
            assert all(f"- {text}" in said for text in bundle_contents.left_out(audience))

    def test_again_gives_the_same_bytes(self, example, packs):
        path = example.results() / "bundle/example_2026-11-01_coauthor.zip"
        first = path.read_bytes()
        done = example.snakemake(
            "bundle", "--config", "audience=coauthor", "--forcerun", "make_bundle",
            PYTHONHASHSEED="7", LC_ALL="C",
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert path.read_bytes() == first

    def test_an_unknown_audience_is_a_sentence(self, example):
        done = example.snakemake("bundle", "--config", "audience=everybody", "--dry-run")
        assert done.returncode != 0
        assert "'everybody' is not one of private, coauthor, public" in done.stdout
        assert "Traceback" not in done.stdout


@pytest.mark.workflow
@pytest.mark.xdist_group("workflow")
def test_a_study_of_ones_own_from_anywhere(tmp_path):
    """Hidden codes, a table elsewhere on the machine, a listing, a cut that is no date."""
    clone = make_clone(tmp_path / "captem")
    away = tmp_path / "anna"
    away.mkdir()
    config = write_study(
        clone.path,
        "patient_id,krenning_pre,krenning_post,mib1\nNET-17,1,3,12\nNET-18,2,2,5\nNET-19,0,2,7\n",
        cut="first", patient_ids="hash", tables={"listing": True},
    )  # fmt: skip
    shutil.move(clone.path / "patients.csv", away / "patients.csv")
    settings = yaml.safe_load((clone.path / config).read_text(encoding="utf-8"))
    settings["sources"][0]["patients"] = str(away / "patients.csv")
    (clone.path / config).write_text(yaml.safe_dump(settings), encoding="utf-8")
    key = "a key that only the ward has, for a test"
    for audience in (PRIVATE, COAUTHOR):
        done = clone.snakemake(
            "bundle", "--config", f"audience={audience}", "--configfile", config, CAPTEM_ID_KEY=key
        )
        assert done.returncode == 0, done.stdout
        path = clone.results("mine") / f"bundle/mine_first_{audience}.zip"
        pack = unpacked(path.read_bytes())
        for secret in (key, "NET-1", str(tmp_path), "anna"):
            assert [name for name, data in pack.items() if secret in words_of(name, data)] == []
        named = naming(pack, patients_of(clone.results("mine")))
        listings = {"tables/listing.csv", "tables/tables.xlsx", "summary.html"}
        if audience == PRIVATE:
            assert listings | {"cohort/patients.csv"} <= named
        else:
            assert named == set() == listings & set(pack)
            assert "listing: false" in pack["README.txt"].decode()
        check_crate(pack)
