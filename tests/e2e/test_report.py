"""The report in a real browser: it shows everything, and asks nobody for anything.

Looks at a report on invented numbers, or at the one that RST_REPORT names.
"""

import json
import os
import shutil
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.support import expected_conditions
from selenium.webdriver.support.ui import WebDriverWait

from tests.e2e.conftest import demo_with_made_up_cells
from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.report.page import sortable

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHOWN = ["claims", "protocol"]
SHOWN += [f"results/demo/pages/{name}" for name in ("table3", "table4", "fig7", "fig12")]
STYLE = ("--report-stylesheet", "workflow/report/style.css")  # as in the profiles
SECONDS = 20


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    if os.environ.get("RST_REPORT"):
        return Path(os.environ["RST_REPORT"]).resolve()
    project = demo_with_made_up_cells(tmp_path_factory.mktemp("report"))
    for words in ((), ("--report", "results/demo/report.html", *STYLE)):
        found = project.run(*SHOWN, *words)
        assert found.returncode == 0, found.stdout + found.stderr
    return project.folder / "results/demo/report.html"


@pytest.fixture(scope="module")
def browser():
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        # CI installs them, so there their absence is a failure.
        in_ci = os.environ.get("CI", "false").lower() not in ("", "0", "false")
        absent = pytest.fail if in_ci else pytest.skip
        absent("the report is looked at in Debian's chromium by chromedriver: one is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "window-size=1500,1000"):
        options.add_argument(f"--{word}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    with webdriver.Chrome(options=options, service=service) as found:
        yield found


@pytest.fixture
def opened(browser, report):
    """The report's start page; after the test, what the browser asked for and complained of."""
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(report.as_uri())
    visible(browser, "//h1[contains(., 'Robust Scratch Tickets')]")
    yield browser
    browser.switch_to.default_content()
    complaints = [e["message"] for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert complaints == []
    messages = [json.loads(e["message"])["message"] for e in browser.get_log("performance")]
    asked = [
        m["params"]["request"]["url"]
        for m in messages
        if m["method"] == "Network.requestWillBeSent"
    ]
    assert report.as_uri() in asked
    assert [url for url in asked if url != report.as_uri() and not url.startswith("data:")] == []


def visible(browser, xpath):
    condition = expected_conditions.visibility_of_element_located(("xpath", xpath))
    return WebDriverWait(browser, SECONDS).until(condition, f"nothing at {xpath}")


def entries(browser) -> list[str]:
    """Titles in the list on the left."""
    return [e.text for e in browser.find_elements("xpath", "//nav//tbody/tr/td[1]")]


def search(browser, words: str, title: str) -> None:
    """Search and wait for a page of that title."""
    visible(browser, "//input[@placeholder='Search...']").send_keys(f"{words}\n")
    visible(browser, f"//nav//td[contains(., '{title}')]")


def category(browser, name: str) -> list[str]:
    """Open a category of the menu on the left; titles of its pages."""
    visible(browser, f"//nav//a[contains(., '{name}')]").click()
    visible(browser, "//nav//tbody/tr")
    return entries(browser)


def show(browser, row: int) -> None:
    """Click the eye of a list's entry and go into the page that it shows."""
    frames = browser.find_elements("xpath", "//iframe")
    visible(browser, f"(//nav//tbody/tr)[{row + 1}]//a[1]").click()
    if frames:
        WebDriverWait(browser, SECONDS).until(expected_conditions.staleness_of(frames[0]))
    browser.switch_to.frame(visible(browser, "//iframe"))
    visible(browser, "//h1")


def test_the_start_page_says_what_this_is_and_on_what_data(opened):
    text = visible(opened, "//div[@id='app']").text
    assert "Fu et al." in text
    assert "Made on stand-in data." in text
    assert "stands in for CIFAR-100" in text
    assert "System Message" not in text
    headings = [e.text for e in opened.find_elements("xpath", "//nav//li//a")]
    shown = [text for text in headings if text[:1].isdigit()]
    assert shown == sorted(shown)
    named = [text.split()[1] for text in shown]
    curves = ["Training"] if os.environ.get("RST_REPORT") else []  # made-up cells have none
    assert named == ["Claims", "Tables", "Figures", "Protocol", *curves]


def test_the_start_page_has_the_verdicts_and_table_3(opened):
    counts = visible(opened, "//ul[@class='count']").text
    judged = [int(line.split()[1]) for line in counts.splitlines()]
    assert len(judged) == 4
    assert sum(judged) == len(read_claims().claims)
    assert judged[:2] == [0, 0]
    assert "one seed, which decides nothing" in visible(opened, "//div[@id='app']").text
    table = visible(opened, "//div[@id='app']//table[contains(., 'R2S @')]")
    assert "(63.93)" in table.text  # the paper's
    head = visible(opened, "//h1[contains(., 'Robust Scratch Tickets')]")
    assert head.rect["y"] >= 0


@pytest.mark.parametrize("words", ["R2S", "Auto-Attack"])
def test_a_search_finds_pages_by_words_of_their_titles(opened, words):
    search(opened, words, "Table 4")
    assert all(words in title for title in entries(opened))


@pytest.fixture
def phone(browser):
    device = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    yield
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_on_a_phone_menu_and_page_stand_one_above_the_other(phone, opened):
    def wide() -> int:
        return opened.execute_script("return document.documentElement.scrollWidth")

    menu, head = (
        visible(opened, "//nav").rect,
        visible(opened, "//h1[contains(., 'Robust S')]").rect,
    )
    assert wide() == 390
    assert menu["width"] == 390
    assert menu["y"] + menu["height"] <= head["y"]
    assert head["width"] > 300
    category(opened, "2 Tables")
    assert wide() == 390
    show(opened, 0)
    assert wide() <= 390
    assert visible(opened, "//h1").rect["width"] > 300


def test_a_link_of_the_start_page_opens_its_category(opened):
    visible(opened, "//div[contains(@class, 'prose')]//a[.='2 Tables']").click()
    visible(opened, "//nav//td[contains(., 'Table 3')]")


def test_a_search_finds_table_3_and_shows_it_sorted_by_the_numbers_of_a_column(opened):
    search(opened, "Table 3", "Table 3")
    assert len(entries(opened)) == 1
    show(opened, 0)
    assert visible(opened, "//h1").text == "Table 3: R2S under PGD-20 (on stand-in data)"
    table = visible(opened, "//table").text
    assert "R2S" in table
    assert "stand-in for CIFAR-10" in table
    assert visible(opened, "//a[.='table3.csv']").get_attribute("href").startswith("data:text/csv")
    head = visible(opened, "//th[2]")

    def shown():
        texts = [cell.text for cell in opened.find_elements("xpath", "//tbody/tr/td[2]")]
        return [float(t.split()[0]) for t in texts if t[:1].isdigit()]

    assert len(shown()) >= 2
    head.click()
    assert shown() == sorted(shown(), reverse=True)
    head.click()
    assert shown() == sorted(shown())


def test_every_figure_is_a_picture_and_a_click_enlarges_it(opened):
    titles = category(opened, "3 Figures")
    assert len(titles) >= 2
    # What is not in the paper has no number.
    papers = [title for title in titles if title.startswith("Figure")]
    numbers = [int(title.split()[1].strip("\u2007:")) for title in papers]
    assert numbers == sorted(numbers)
    for row, title in enumerate(titles):
        show(opened, row)
        picture = visible(opened, "//img")
        assert picture.get_property("complete"), title
        assert picture.get_property("naturalWidth") > 500, title
        before = picture.size["width"]
        picture.click()
        assert picture.size["width"] >= 1.5 * before, title
        picture.click()
        assert picture.size["width"] == before, title
        opened.switch_to.default_content()


def test_every_table_is_text_in_its_page(opened):
    for row, title in enumerate(category(opened, "2 Tables")):
        show(opened, row)
        assert visible(opened, "//h1").text.split(":")[0].split(" (")[0] in title
        assert visible(opened, "//table").text
        shown = [cell.text for cell in opened.find_elements("xpath", "//table//td[position() > 1]")]
        # Section 4.7 is about the wide network, which the demo has not: all are the paper's.
        made = any(text[:1].isdigit() for text in shown)
        assert made == ("†" in title) == (not title.startswith("Section 4.7")), title
        assert "stand-in" in visible(opened, "//body").text
        opened.switch_to.default_content()


def test_the_claims_are_first_and_show(opened):
    category(opened, "1 Claims")
    show(opened, 0)
    text = visible(opened, "//body").text
    assert "Made on stand-ins" in text
    assert "? undecided" in text  # one seed
    assert "✓ supported" in text or "without cells" in text


def test_the_protocol_names_code_data_and_device(opened):
    category(opened, "4 Protocol")
    show(opened, 0)
    text = visible(opened, "//body").text
    for said in ("stand-in for CIFAR-10", "validation images", "git commit", "device", "digest"):
        assert said in text


def test_figure_2_comes_before_figure_10_in_the_browsers_order(opened):
    order = "return arguments[0].localeCompare(arguments[1])"
    assert opened.execute_script(order, sortable("Figure 2: b"), sortable("Figure 10: a")) < 0
