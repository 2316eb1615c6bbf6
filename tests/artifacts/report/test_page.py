"""Pages of artifacts: each with its own name, nothing outside it, and no markup from data."""

import re

from workflow.artifacts.registry import ARTIFACTS
from workflow.artifacts.report.page import from_markdown, label, write_page


def test_every_artifact_has_a_page_of_its_own_name():
    names = [label(a) for a in ARTIFACTS.values()]
    assert len(set(names)) == len(names)
    assert {"Table 3 - R2S under PGD-20", "Figure 1 - RSTs exist"} <= set(names)
    # In the report they stand in data URIs, whose head a comma ends.
    assert not re.search("[^ -~]|[,;%?#/]", "".join(names))


def test_a_page_shows_text_and_obeys_none_of_it():
    table = "| a<b | <script>x</script> |\n|---|---|\n| 1 ± 2<sup>a</sup> | 3 |"
    html = from_markdown(f"## T\n\n{table}\n\n- <sup>a</sup> foot")
    assert "<script>" not in html
    assert "<th>a&lt;b</th>" in html
    assert "<td>1 ± 2<sup>a</sup></td>" in html
    assert "<sup>a</sup> foot" in html


def test_a_figures_page_holds_its_picture_and_files_and_says_stand_in(tmp_path):
    (tmp_path / "fig7.png").write_bytes(b"\x89PNG picture")
    (tmp_path / "fig7.csv").write_text('data,mean\n"Digits [stand-in for CIFAR-10]",1\n')
    write_page(ARTIFACTS["fig7"], sorted(tmp_path.iterdir()), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert 'download="fig7.csv"' in page
    assert "(on stand-in data)</h1>" in page
    assert "Digits [stand-in for CIFAR-10]" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
