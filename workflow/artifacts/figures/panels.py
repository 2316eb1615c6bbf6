"""A figure as the paper draws it: panels, and the series in each. Declarations only.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rst_core.axes import DEFAULTS, KINDS, METHOD_AXES
from workflow.artifacts import artifact
from workflow.artifacts.numbers.models import ATTACK, Models
from workflow.config import Experiment
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Series:
    """One kind of model in a panel; what is left out has the paper's default [4.1].

    Of an axis of :data:`~rst_core.axes.METHOD_AXES` that is no field here it has the default too.

    Attributes:
        name: how it is keyed in the CSV and looked up in ``style.LOOKS``.
        experiments: the experiments of the config that measure it; the keep ratios of all.
        model: the word for the model in the config.
        network: role of the network.
        method: of search and training; left out: the first of the experiment that is named first.
        eps: of search and training, and of the attack, in 1/255.
    """

    name: str
    experiments: tuple[str, ...]
    model: str = "rst"
    network: str = "resnet18"
    init: str = DEFAULTS["init"]
    pattern: str = DEFAULTS["pattern"]
    method: str | None = None
    eps: float = DEFAULTS["trained_eps"]

    def __post_init__(self) -> None:
        if self.model not in KINDS:
            raise ValueError(f"{self.model!r} is no model; allowed is one of {', '.join(KINDS)}")

    def searched(self, matrix: Matrix) -> str:
        """With which inner maximisation its models are searched and trained."""
        return self.method or matrix.config.experiments[self.experiments[0]].methods[0]

    def axes(self, matrix: Matrix) -> dict[str, Any]:
        """How its models are drawn, searched and trained, by the names of axes."""
        own = {axis.name: getattr(self, axis.field, axis.default) for axis in METHOD_AXES}
        return own | {"method": self.searched(matrix)}


@dataclass(frozen=True)
class Planned:
    """A series on a dataset as far as the config has it: experiments narrowed to it, by name."""

    series: Series
    experiments: Mapping[str, Experiment]

    @property
    def keep_ratios(self) -> list[float]:
        """Of all of its experiments."""
        return sorted({k for e in self.experiments.values() for k in e.keep_ratios})

    def models(self, dataset: str, keep_ratio: float | None, matrix: Matrix) -> Models:
        """Its models at one keep ratio, over the seeds of all of its experiments."""
        series, experiments = self.series, self.experiments.values()
        return Models(
            series.network,
            dataset,
            series.model,
            keep_ratio,
            series.axes(matrix),
            next(iter(experiments)).transferred_from,
            tuple({s for e in experiments for s in e.seeds or matrix.config.seeds}),
        )


@dataclass(frozen=True)
class Panel:
    """One sub-figure.

    Attributes:
        letter: as in the paper; empty where the figure has one panel only.
        dataset: role of the dataset.
        series: in the paper's order.
        measure: ``robust``, ``natural``, ``transfer`` or ``feature_distance``.
        dense: networks trained adversarially as they are, the dashed baselines.
        zoom: whether the low keep ratios are drawn a second time, enlarged.
        attack: the config's name of the attack on its models.
    """

    letter: str
    dataset: str
    series: tuple[Series, ...]
    measure: str = "robust"
    dense: tuple[Series, ...] = ()
    zoom: bool = False
    attack: str = ATTACK

    def planned(self, matrix: Matrix) -> list[Planned]:
        """The series that the config's matrix has; baselines only beside one that it has."""
        found = self._planned(self.series, matrix)
        return found + self._planned(self.dense, matrix) if found else []

    def lacking(self, matrix: Matrix) -> list[Series]:
        """The series that the config's matrix lacks, of a panel of which it has some."""
        planned = [one.series for one in self.planned(matrix)]
        return [s for s in (*self.series, *self.dense) if s not in planned] if planned else []

    def _planned(self, series: tuple[Series, ...], matrix: Matrix) -> list[Planned]:
        found = []
        for one in series:
            narrowed = {
                e: self._narrowed(one, matrix.config.experiments[e], one.axes(matrix))
                for e in one.experiments
            }
            known = {name: experiment for name, experiment in narrowed.items() if experiment}
            found += [Planned(one, known)] if known else []
        return found

    def _narrowed(
        self, series: Series, experiment: Experiment, own: Mapping[str, Any]
    ) -> Experiment | None:
        """The experiment with what the panel shows of the series; None if it is not in it."""
        axes = {
            "models": series.model,
            "networks": series.network,
            "datasets": self.dataset,
            **{axis.key: own[axis.name] for axis in METHOD_AXES},
        }
        if any(value not in getattr(experiment, axis) for axis, value in axes.items()):
            return None
        shown: dict[str, Any] = {axis: [value] for axis, value in axes.items()}
        shown |= {"candidate_sets": [], "adaptive": [], "adaptive_transfer": []}
        if self.measure != "feature_distance":
            shown["feature_distance"] = []
        if self.measure != "natural":  # which rides along with every attack
            shown |= {"evaluate": [], "transfer": []}
            how = "evaluate" if self.measure == "robust" else "transfer"
            asked = getattr(experiment, how) if self.measure != "feature_distance" else []
            for one in asked:
                fits = one.attack == self.attack and series.eps in one.sizes(series.eps)
                if fits and getattr(one, "to", "tickets") == "tickets":
                    shown[how] = [one.at(series.eps)]
        found: Experiment = experiment.model_copy(update=shown)
        return found

    def rows(self, data: pd.DataFrame) -> pd.DataFrame:
        """Its rows of a figure's data."""
        return data[data["panel"] == self.letter]

    @property
    def networks(self) -> list[str]:
        """Roles of the networks it compares, each once."""
        return list(dict.fromkeys(s.network for s in self.series))

    @property
    def eps(self) -> float:
        """The eps that all of its series share, in 1/255."""
        (eps,) = {s.eps for s in self.series}
        return eps


@dataclass(frozen=True)
class PanelFigure(artifact.Figure):
    """A figure of the paper: an artifact that is made of panels."""

    panels: tuple[Panel, ...]

    def slices(self, matrix: Matrix) -> Iterator[artifact.ExperimentSlice]:
        """See :class:`~workflow.artifacts.artifact.Artifact`."""
        for panel in self.panels:
            for planned in panel.planned(matrix):
                for name, experiment in planned.experiments.items():
                    yield artifact.ExperimentSlice(
                        name, experiment, attacked=panel.measure != "natural"
                    )

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`~workflow.artifacts.artifact.Figure`."""
        own = {cell.path for cell in self.cells(matrix)}
        return super().build(cells[cells["cell"].isin(own)], matrix)

    def draw(self, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
        """See :class:`~workflow.artifacts.artifact.Figure`.

        Panels of which the config's matrix has nothing are left out, unless all are.
        """
        drawn = tuple(p for p in self.panels if p.planned(matrix)) or self.panels
        left_out = [f"({panel.letter})" for panel in self.panels if panel not in drawn]
        if left_out:
            word = "panel" if len(left_out) == 1 else "panels"
            lacking = f"not in this matrix: the paper's {word} {', '.join(left_out)}"
            remark = "; ".join(filter(None, [remark, lacking]))
        return artifact.Figure.draw(replace(self, panels=drawn), data, matrix, remark)
