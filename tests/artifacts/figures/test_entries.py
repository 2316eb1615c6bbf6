"""Which figures there are; their panels and series are in tests/golden, as the data's rows."""

from tests.artifacts.figures.pictures import FIGURES


def test_every_figure_of_the_paper_is_there():
    assert list(FIGURES) == [*(f"fig{i}" for i in range(1, 15)), "fig7_all_steps"]
    assert FIGURES["fig9"].heading.startswith("Figure 9 (supplement's Figure 1): ")
    assert FIGURES["fig14"].heading.startswith("Figure 14 (supplement's Figure 6): ")


def test_larger_eps_and_enlargements_are_where_the_paper_has_them():
    assert [panel.eps for panel in FIGURES["fig6"].panels] == [12, 16, 12, 16]
    zoomed = {name for name, figure in FIGURES.items() if any(p.zoom for p in figure.panels)}
    assert zoomed == {"fig2", "fig3", "fig10", "fig11"}
    assert all(p.zoom for name in zoomed for p in FIGURES[name].panels)
