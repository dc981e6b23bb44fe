"""The two pages of a finished run, as a browser shows them: offline, complete, readable."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import axe_core_python
import figure_data
import pytest
from conftest import Clone
from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait
from test_comparison import found, page_of, shared  # noqa: F401

pytestmark = [
    pytest.mark.browser,
    pytest.mark.workflow,
    pytest.mark.xdist_group("workflow"),
]

FIGURES = tuple(figure_data.FIGURES)
TABLES = (
    "characteristics", "transition_matrix", "transitions", "associations", "models", "sensitivity",
    "noise", "agreement", "lesions", "missing", "deviations",
)  # fmt: skip
# What report.html lists, in reading order: Snakemake sorts by label, and a number leads each.
CONTENTS = {
    "1 Participants": ("flow", "timeline"),
    "2 Transitions": ("transition_matrix", "alluvial", "paired_slopes", "waterfall"),
    "3 Uptake gain": ("gain_by_mib1", "regression_to_mean"),
    "4 Models": ("predicted", "forest", "sensitivity", "diagnostics"),
    "6 Tables": TABLES,
    "7 Summary": ("summary",),
}
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage",
)  # fmt: skip
LOCAL = ("file:", "data:", "blob:", "about:")
PATIENCE = 20  # seconds, for a machine that does much else
PHONE, DESKTOP = (390, 844), (1280, 900)

AXE = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(found => done(found.violations.map(
    one => [one.impact, one.id, one.nodes[0].html.slice(0, 200)])), error => done([String(error)]));
"""
# How the page is left by what was pressed: the first column of each body of a table.
FIRST_COLUMN = """
return [...arguments[0].tBodies].map(body => [...body.rows].filter(row => !row.hidden)
    .map(row => row.cells[0].innerText.replace(/\\s+/g, " ").trim()));
"""
# The text of every cell as a reader sees it, row by row, and the sizes that cells span.
CELLS = """
return [...arguments[0].rows].map(row => [...row.cells].map(
    cell => [cell.tagName, cell.colSpan, cell.innerText.replace(/\\s+/g, " ").trim()]));
"""
# The texts that end to the right of the screen and stand in no container that scrolls.
STICKS_OUT = """
const scrolls = element => element !== document.body && element !== document.documentElement
    && getComputedStyle(element).overflowX !== "visible";
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const found = [];
while (texts.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(texts.currentNode);
    if (range.getBoundingClientRect().right <= arguments[0] + 1) continue;
    let above = texts.currentNode.parentElement;
    while (above && !scrolls(above)) above = above.parentElement;
    if (!above) found.push(texts.currentNode.data.trim().slice(0, 80));
}
return found;
"""


class Page:
    """A page in the browser, and what the browser noted since it was opened."""

    def __init__(self, driver: webdriver.Chrome):
        self.driver = driver
        # React may replace an element while it is being looked at.
        passing = (NoSuchElementException, StaleElementReferenceException, IndexError)
        self.wait = WebDriverWait(driver, PATIENCE, 0.1, ignored_exceptions=passing)

    def open(self, path: Path, size: tuple[int, int] = DESKTOP) -> Self:
        self.size(*size)
        self.driver.get("about:blank")
        self.console_errors(), self.requests()  # what came before is not of this page
        self.driver.get(path.as_uri())
        self.until("return document.readyState === 'complete'")
        return self

    def until(self, script: str, *arguments):
        return self.wait.until(lambda driver: driver.execute_script(script, *arguments), script)

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        mobile = {"mobile": (width, height) == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics | mobile)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def console_errors(self) -> list[str]:
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def requests(self) -> list[str]:
        """Return the address of everything asked for since the last call, start page included."""
        addresses = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            match message["method"]:
                case "Network.requestWillBeSent":
                    addresses.append(message["params"]["request"]["url"])
                case "Network.webSocketCreated":
                    addresses.append(message["params"]["url"])
        return addresses

    def cells(self, table: WebElement) -> list:
        return self.driver.execute_script(CELLS, table)

    def assert_quiet_and_local(self) -> None:
        assert self.console_errors() == []
        requests = self.requests()
        assert any(address.startswith("file:") for address in requests), "nothing was recorded"
        assert [address for address in requests if not address.startswith(LOCAL)] == []

    def accessibility_faults(self) -> list:
        """Return what axe-core finds, as (impact, rule, where), the minor ones too."""
        self.driver.execute_script(AXE)
        return self.driver.execute_async_script(RUN_AXE)

    def press_tab(self) -> WebElement:
        self.driver.switch_to.active_element.send_keys(Keys.TAB)
        return self.driver.switch_to.active_element

    def assert_fits_phone(self) -> None:
        """Compare with the width of the phone: innerWidth grows with a page that is too wide."""
        width = self.driver.execute_script("return document.documentElement.scrollWidth")
        sticks_out = self.driver.execute_script(STICKS_OUT, PHONE[0])
        assert width <= PHONE[0] + 1, f"{width} px wide; sticks out: {sticks_out}"


class Report(Page):
    """Snakemake's page, whose menus are walked by clicking."""

    def open(self, path: Path, size: tuple[int, int] = DESKTOP) -> Self:
        super().open(path, size)
        self.until("return document.querySelectorAll('#app nav ul a').length > 0")
        return self

    def menu(self) -> list[str]:
        return [entry.text for entry in self.all("#app nav ul a")]

    def go_home(self) -> None:
        self.all("#app nav nav li a")[0].click()
        self.wait.until(lambda _: next(iter(CONTENTS)) in self.menu())

    def choose(self, entry: str) -> None:
        next(link for link in self.all("#app nav ul a") if link.text == entry).click()

    def enter(self, category: str) -> list[str]:
        """Click a category and return what it lists, as file names."""
        self.choose(category)
        self.wait.until(lambda _: category in self.all("#app nav nav")[0].text)
        self.wait.until(lambda _: self.rows())
        return list(self.rows())

    def rows(self) -> dict[str, WebElement]:
        rows = self.all("#app nav tbody tr")
        return {re.sub(r"^\d+ ", "", row.text.strip()).replace(" ", "_"): row for row in rows}

    def press(self, name: str, icon: str) -> None:
        self.rows()[name].find_element(By.CSS_SELECTOR, f"a[iconname={icon}]").click()

    def view(self, name: str) -> None:
        self.press(name, "eye")

    def description(self, name: str) -> str:
        self.press(name, "information-circle")
        return self.wait.until(lambda _: squeezed(self.all("#app nav .prose")[0].text))

    @contextmanager
    def inside(self, name: str):
        """Look into the frame that shows a table or the summary."""
        self.until(
            "return document.querySelector('iframe')?.src.includes(arguments[0])",
            f"filename={name}.html",
        )
        self.driver.switch_to.frame(self.all("iframe")[0])
        try:
            self.until("return document.readyState === 'complete' && location.protocol === 'data:'")
            yield
        finally:
            self.driver.switch_to.default_content()


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def caption_and_alt(example: Clone, name: str) -> tuple[str, str]:
    """Return the caption of a figure and its alternative text, from the file of its caption."""
    text = (example.results() / "figures" / f"{name}.txt").read_text(encoding="utf-8")
    caption, alternative = text.split("Alt text:")
    return squeezed(caption), squeezed(alternative)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """Return one browser for all tests here, which knows its programs and asks nobody for them."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for option in OPTIONS:
        options.add_argument(option)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "localhost,127.0.0.1")  # the driver is on this machine
        browser = webdriver.Chrome(options=options, service=service)
    browser.set_page_load_timeout(60)
    browser.set_script_timeout(120)
    yield browser
    browser.quit()


@pytest.fixture
def summary(driver, example) -> Page:
    return Page(driver).open(example.results() / "summary.html")


@pytest.fixture
def report(driver, example) -> Report:
    return Report(driver).open(example.results() / "report.html")


def test_summary_loads_without_errors_and_without_the_network(summary):
    summary.assert_quiet_and_local()


@pytest.mark.parametrize("name", FIGURES)
def test_summary_shows_every_figure_with_its_caption(summary, example, name):
    caption, alternative = caption_and_alt(example, name)
    images = summary.all(f"#figure-{name} img")
    assert len(images) == 1
    assert summary.driver.execute_script(
        "return arguments[0].complete && arguments[0].naturalWidth > 0", images[0]
    )
    assert images[0].is_displayed() and images[0].size["width"] > 200
    assert alternative and images[0].get_attribute("alt") == alternative
    assert [squeezed(part.text) for part in summary.all(f"#figure-{name} figcaption")] == [caption]


def test_summary_has_the_figures_in_order(summary):
    figures = [figure.get_attribute("id") for figure in summary.all("figure")]
    assert figures == [f"figure-{name}" for name in FIGURES]


@pytest.mark.parametrize("name", TABLES)
def test_summary_shows_every_table_as_its_own_file_does(summary, example, name):
    def shown():
        (table,) = summary.all(f"#table-{name} table")
        (caption,) = table.find_elements(By.TAG_NAME, "caption")
        notes = [squeezed(note.text) for note in summary.all(f"#table-{name} .notes")]
        return squeezed(caption.text), summary.cells(table), notes

    in_summary = shown()
    summary.open(example.results() / "tables" / f"{name}.html")
    assert in_summary == shown()
    caption, rows, _ = in_summary
    assert caption.startswith(f"Table {TABLES.index(name) + 1}. ")
    assert len(rows) > 2 and any(text for row in rows[1:] for _, _, text in row)
    summary.assert_quiet_and_local()


def test_summary_fits_a_phone(driver, example):
    Page(driver).open(example.results() / "summary.html", PHONE).assert_fits_phone()


def test_links_of_the_summary_lead_to_anchors_that_exist(summary):
    links = [link.get_dom_attribute("href") for link in summary.all("a")]
    anchors = [element.get_attribute("id") for element in summary.all("[id]")]
    assert len(links) > 5
    assert len(anchors) == len(set(anchors)), "an id is there twice"
    assert [link for link in links if link[:1] != "#" or link[1:] not in anchors] == []


def test_tab_reaches_the_first_link_of_the_summary_and_enter_follows_it(summary):
    first = summary.all("a")[0]
    summary.all("body")[0].send_keys(Keys.TAB)
    focused = summary.driver.switch_to.active_element
    assert focused == first
    box = first.rect
    assert box["x"] >= 0 and box["y"] >= 0 and box["width"] > 0, "the focused link is not in sight"
    focused.send_keys(Keys.ENTER)
    summary.until("return location.hash === arguments[0]", first.get_dom_attribute("href"))


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_axe_finds_nothing_serious_in_the_summary(driver, example, size):
    page = Page(driver).open(example.results() / "summary.html", size)
    faults = page.accessibility_faults()
    assert [fault for fault in faults if fault[0] not in ("minor", "moderate")] == []
    page.assert_quiet_and_local()


def test_axe_sees_a_fault(summary):
    """The reader of the test above may trust it: a picture without its text is found."""
    summary.driver.execute_script("document.querySelector('figure img').removeAttribute('alt')")
    faults = summary.accessibility_faults()
    assert ("critical", "image-alt") in [tuple(fault[:2]) for fault in faults]


def test_axe_finds_nothing_serious_in_the_manuscript(driver, example):
    done = example.snakemake("manuscript")
    assert done.returncode == 0, done.stdout
    folder = example.results() / "manuscript"
    try:
        page = Page(driver).open(folder / "manuscript.html")
        faults = page.accessibility_faults()
        assert [fault for fault in faults if fault[0] not in ("minor", "moderate")] == []
        page.assert_quiet_and_local()
    finally:
        # The next test finds the example as it was.
        shutil.rmtree(folder)


def test_what_is_read_in_one_minute_is_on_the_first_screen(driver, example):
    """The question, the answer and the three largest caveats; a phone needs a few swipes."""
    bottoms = """return [".question", ".lead", ".largest"].map(
        one => document.querySelector(one).getBoundingClientRect().bottom)"""
    page = Page(driver).open(example.results() / "summary.html")
    assert max(page.driver.execute_script(bottoms)) <= DESKTOP[1]
    assert len(page.all(".largest li")) == 3
    page.size(*PHONE)
    assert max(page.driver.execute_script(bottoms)) <= 2.5 * PHONE[1]


def test_tab_reaches_search_sort_and_what_scrolls(summary):
    wanted = {
        "skip": ".skip", "search": "#search", "sort": "#table-models .sort",
        "figure": "#figure-forest .scroll", "table": "#table-models .scroll",
        "note": "#table-models sup a",
    }  # fmt: skip
    wanted = {name: summary.all(selector)[0] for name, selector in wanted.items()}
    seen = []
    summary.all("body")[0].send_keys(Keys.TAB)
    focused = summary.driver.switch_to.active_element
    for _ in range(400):
        seen += [name for name, element in wanted.items() if element == focused]
        if len(seen) == len(wanted):
            break
        focused = summary.press_tab()
    assert sorted(seen) == sorted(wanted)
    # What has the focus shows it.
    outline = "return getComputedStyle(arguments[0]).outlineStyle"
    assert summary.driver.execute_script(outline, focused) not in ("none", "")


def test_a_table_is_sorted_by_the_keyboard_and_rows_stay_in_their_groups(summary):
    (table,) = summary.all("#table-models table")
    before = summary.driver.execute_script(FIRST_COLUMN, table)
    estimates = "return [...arguments[0].tBodies[0].querySelectorAll('td:nth-child(2)')].map(" \
        "cell => parseFloat(cell.innerText))"  # fmt: skip
    heading = table.find_elements(By.CSS_SELECTOR, "thead th")[1]
    (button,) = heading.find_elements(By.TAG_NAME, "button")
    states = []
    for way in ("ascending", "descending", None):
        button.send_keys(Keys.ENTER)
        assert heading.get_attribute("aria-sort") == way
        states.append(summary.driver.execute_script(FIRST_COLUMN, table))
        values = summary.driver.execute_script(estimates, table)
        assert len(values) > 3
        if way:
            assert values == sorted(values, reverse=way == "descending")
    assert states[2] == before and states[0] != before
    for state in states:
        assert [sorted(group) for group in state] == [sorted(group) for group in before]
        # The heading of a group stays above its rows.
        assert [group[0] for group in state] == [group[0] for group in before]
    spoken = summary.all("#table-tools .spoken")[0].get_attribute("textContent")
    assert spoken == "Rows in the order of the analysis."


def test_rows_below_another_stay_below_it_when_sorted(summary):
    """In table 1 the levels of a characteristic are indented below it, without a group."""
    (table,) = summary.all("#table-characteristics table")
    under = """
    let above = "";
    return [...arguments[0].querySelectorAll("tbody tr")].map(row => {
        const name = row.cells[0].innerText.trim();
        if (!row.cells[0].classList.contains("indent")) above = name;
        return [above, name];
    })"""
    before = summary.driver.execute_script(under, table)
    assert ["Sex, n/N (%)", "female"] in before
    table.find_elements(By.CSS_SELECTOR, ".sort")[1].send_keys(Keys.SPACE)
    after = summary.driver.execute_script(under, table)
    assert after != before and sorted(after) == sorted(before)


def test_the_matrix_keeps_its_order(summary):
    assert summary.all("#table-models .sort") and not summary.all("#table-transition_matrix .sort")


def test_the_search_leaves_the_rows_that_match_and_says_how_many(summary):
    (search,), (said,) = summary.all("#search"), summary.all("#table-tools output")
    whole = said.text
    rows = len(summary.all("#all-tables tbody tr")) - len(summary.all("#all-tables th.group"))
    assert whole == f"{rows} rows in {len(TABLES)} tables"
    search.send_keys("FEMALE  sex")
    left = [row.text for row in summary.all("#all-tables tbody tr") if row.is_displayed()]
    assert said.text.startswith(f"{len(left)} of {rows} rows, in 1 of {len(TABLES)} tables")
    # The row that it stands below comes with it.
    assert [squeezed(text).split(" ")[0] for text in left] == ["Sex,", "female"]
    search.clear()
    search.send_keys("no such words")
    assert said.text.startswith("0 of") and not summary.all("#table-models")[0].is_displayed()
    search.send_keys(Keys.ESCAPE)
    assert said.text == whole and summary.all("#table-models")[0].is_displayed()


def test_the_summary_is_complete_without_a_script(driver, example):
    page = Page(driver)
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.execute_cdp_cmd(
            "Page.navigate", {"url": (example.results() / "summary.html").as_uri()}
        )
        page.wait.until(lambda _: page.all("footer"))
        assert not page.all("#table-tools")[0].is_displayed() and not page.all(".sort")
        assert len(page.all("#all-tables .table")) == len(TABLES)
        assert len(page.all("figure img")) == len(FIGURES)
        assert all(row.is_displayed() for row in page.all("#all-tables tbody tr"))
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_each_figure_has_one_sentence_before_its_picture(summary):
    for name in FIGURES:
        tags = [child.tag_name for child in summary.all(f"#figure-{name} > *")]
        assert tags == ["h3", "p", "div", "figcaption"]
        assert squeezed(summary.all(f"#figure-{name} .shows")[0].text).endswith(".")


def test_report_lists_everything_in_reading_order(report):
    numbered = [entry for entry in report.menu() if entry[:1].isdigit()]
    assert numbered == list(CONTENTS)
    listed = {}
    for category in numbered:
        listed[category] = tuple(report.enter(category))
        report.go_home()
    assert listed == CONTENTS


def test_report_opens_every_figure_with_its_caption(report, example):
    for category, names in list(CONTENTS.items())[:4]:
        for name in names:
            report.enter(category)
            report.view(name)
            report.until(
                "return [...document.images].some(image => image.complete"
                " && image.naturalWidth > 200 && image.src.includes(arguments[0]))",
                f"filename={name}.svg",
            )
            caption, alternative = caption_and_alt(example, name)
            assert report.description(name) == f"{caption} Alt text: {alternative}"
            report.go_home()
    report.assert_quiet_and_local()


def test_report_shows_captions_with_live_numbers(report):
    report.enter("2 Transitions")
    sentence = (
        "Krenning score at baseline (rows) and at follow-up (columns) of the 54 patients scored at "
        "both scans."
    )
    assert sentence in report.description("transition_matrix")


def test_report_opens_every_table_and_the_summary(driver, example):
    page, files = Page(driver), {}
    for name in TABLES:
        page.open(example.results() / "tables" / f"{name}.html")
        files[name] = page.cells(page.all("table")[0])
    report, shown = Report(driver).open(example.results() / "report.html"), {}
    report.enter("6 Tables")
    for name in TABLES:
        report.view(name)
        with report.inside(name):
            shown[name] = report.cells(report.all("table")[0])
    assert shown == files
    report.go_home()
    report.enter("7 Summary")
    report.view("summary")
    with report.inside("summary"):
        assert len(report.all("figure img")) == len(FIGURES)
    report.assert_quiet_and_local()


def test_report_draws_its_own_views_without_errors_and_without_the_network(report):
    report.choose("Statistics")
    report.wait.until(lambda _: report.all("#app .vega-embed"))
    report.choose("Workflow")
    report.wait.until(lambda _: report.all("#rulegraph canvas, #rulegraph svg"))
    report.choose("About")
    report.wait.until(lambda _: any(entry.startswith("snakemake") for entry in report.menu()))
    report.assert_quiet_and_local()


def test_the_report_is_quiet_while_axe_reads_it(report):
    """The page is Snakemake's: what axe-core finds there is printed and fails nothing.

    With Snakemake 9 these are duplicate-id, image-alt (the alternative text stands in the caption),
    label-title-only, landmark-one-main, landmark-unique, link-name and region.
    """
    faults = sorted({fault[1] for fault in report.accessibility_faults()})
    print("axe-core in report.html:", ", ".join(faults))
    report.assert_quiet_and_local()


def test_report_can_be_read_on_a_phone(driver, example):
    report = Report(driver).open(example.results() / "report.html", PHONE)
    report.assert_fits_phone()
    report.enter("3 Uptake gain")
    report.view("gain_by_mib1")
    report.all("#app nav h1 a")[0].click()  # put the menu away
    report.until(
        "return [...document.images].some(image => image.src.includes('filename=gain_by_mib1.svg')"
        " && image.width > arguments[0] * 0.8)",
        PHONE[0],
    )
    report.assert_fits_phone()


# The page of what a new data cut changed


@pytest.fixture
def compared(driver, found, tmp_path) -> Page:  # noqa: F811
    path = tmp_path / "compare.html"
    path.write_text(page_of(found), encoding="utf-8")
    return Page(driver).open(path)


def test_the_page_of_changes_is_accessible_and_asks_nobody(compared):
    assert compared.accessibility_faults() == []
    compared.assert_quiet_and_local()


def test_the_page_of_changes_fits_a_phone(compared):
    compared.size(*PHONE)
    compared.assert_fits_phone()


def test_the_tables_of_the_page_of_changes_are_searched(compared):
    rows = len([row for row in compared.all("#all-tables tbody tr") if row.is_displayed()])
    compared.all("#search")[0].send_keys("krenning")
    compared.wait.until(
        lambda _: (
            0
            < len([row for row in compared.all("#all-tables tbody tr") if row.is_displayed()])
            < rows
        )
    )
