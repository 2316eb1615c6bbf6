"""What README and docs/plan.md show of this version: ``make readme``.

The plans (alone: ``python -m tests.readme plans``), and of the demo that was made last lines of
docs/demo_log.txt, and the start page of its report in Chromium.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from workflow import cli
from workflow.measured_page import fill

ROOT = Path(__file__).resolve().parents[1]
LOG, IMAGES, DEMO = ROOT / "docs/demo_log.txt", ROOT / "docs/images", ROOT / "results/demo"
#: The first line of each kind of finished job is shown, and the last line.
_SHOWN = (r"left +search ", r"left +transfer ", r"left +figure ", r"left +attack pgd20 eps8 ",
          r"jobs in ")  # fmt: skip
_SIZE = (1500, 857)


#: Pages, the part of each that shows a plan, and the words of ``rst plan``.
PARTS = (
    ("docs/plan.md", "plan", "all --gpus 8 64"),
    ("README.md", "sizes", "all --beside demo/matrix.yaml configs/weekend.yaml"),
)


def planned() -> Iterator[tuple[Path, str, str]]:
    """Each page and part with what it has to show, before anything is finished."""
    with tempfile.TemporaryDirectory() as empty:
        for file in ("config.yaml", "demo/matrix.yaml", "configs/weekend.yaml"):
            target = Path(empty, file)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / file, target)
        for page, part, words in PARTS:
            said = io.StringIO()
            with contextlib.chdir(empty), contextlib.redirect_stdout(said):
                if cli.main(["plan", *words.split()]):
                    raise ValueError(f"rst plan {words} failed; it says why above")
            text = said.getvalue()
            start = "What each adds" if part == "plan" else "| size"
            yield ROOT / page, part, text[text.index(start) :]


def log_part(log: str) -> str:
    """What README says of a log: some of its lines, and how long all of it took."""
    lines = log.splitlines()
    first = {next(i for i, line in enumerate(lines) if re.search(kind, line)) for kind in _SHOWN}
    found = [lines[i] for i in sorted(first)]
    real = re.search(r"^real\s+(\d+)m([\d.]+)s$", log, re.MULTILINE)
    assert real is not None, "the log was made by bash's time"
    return (
        "```text\n" + "\n".join(found) + "\n```\n\n[docs/demo_log.txt](docs/demo_log.txt) is the "
        f"whole log, {len(lines)} lines; it took {real[1]} min {float(real[2]):.0f} s."
    )


def picture(report: Path, target: Path) -> None:
    """The start page of a report as a person sees it on a wide screen."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for word in ("headless=new", "no-sandbox", "hide-scrollbars"):
        options.add_argument(f"--{word}")
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    with webdriver.Chrome(options=options, service=service) as browser:
        device = dict(
            zip(("width", "height"), _SIZE, strict=True), deviceScaleFactor=1, mobile=False
        )
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        browser.get(report.as_uri())
        time.sleep(3)  # the rule graph is drawn
        browser.save_screenshot(str(target))


if __name__ == "__main__":
    for page, part, text in planned():
        fill(page, {part: text})
    if sys.argv[1:] != ["plans"]:
        fill(ROOT / "README.md", {"demo log": log_part(LOG.read_text(encoding="utf-8"))})
        picture(DEMO / "report.html", IMAGES / "report.png")
