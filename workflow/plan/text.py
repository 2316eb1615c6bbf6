"""A plan as text, for a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rst_core.identity import TrainingCell
from rst_core.vocabulary import Precision
from workflow.plan.planner import Plan
from workflow.plan.rates import ASSUMED, ASSUMED_DEVICE
from workflow.text import duration, hours, table

#: Names of one list that are written out.
_NAMED = 8
_MEASURED_IN = "attacks and all that is measured are float32"


def plan_text(plan: Plan, heading: str, devices: Sequence[int], tflops: float | None) -> str:
    """The whole plan below a heading: for so many devices, at a rate if the user stated one."""
    blocks = [heading, _basis([plan], tflops), _counts(plan)]
    if plan.seconds:
        blocks += [_additions(plan)] if len(plan.parts) > 1 else []
        blocks += [_by_precision(plan)] if plan.bases == {"assumed"} else []
        walls = [
            f"With {n} device{'s' if n > 1 else ''}: at least {duration(plan.wall_seconds(n))}."
            for n in devices
        ]
        blocks.append("\n".join([*walls, f"Disk: at most {_disk(plan)} of results."]))
    else:
        blocks.append("Nothing to do: all files exist.")
    blocks.append("\n".join(f"- {remark}" for remark in plan.remarks()))
    return "\n\n".join(filter(None, blocks)) + "\n"


def sizes_text(plans: Sequence[Plan], tflops: float | None) -> str:
    """Plans of the same targets, made anew, in several matrices, a line for each."""
    assumed = all(plan.bases == {"assumed"} for plan in plans)
    lines = []
    for plan in plans:
        config = plan.project.matrix.config
        trained = sum(isinstance(job.cell, TrainingCell) for job in plan.to_do)
        datasets = dict.fromkeys(job.cell.model.network.dataset for job in plan.to_do)
        by_precision = [" / ".join(row) for row in _hours_by_precision(plan).values()]
        lines.append(
            [
                config.run or "paper",
                plan.project.label.split(" + ")[-1],
                "; ".join(config.datasets[name].label for name in datasets),
                f"{plan.total.to_do:,}",
                f"{trained:,}",
                *(by_precision if assumed else [hours(plan.total.seconds)]),
                _disk(plan),
            ]
        )
    devices = [f"hours on one {device}" for device in ASSUMED] if assumed else ["hours, one device"]
    header = ["size", "config", "data", "cells", "networks", *devices, "disk"]
    parts = [_basis(plans, tflops)]
    if assumed:
        parts.append(f"Hours by `precision` of training, {' / '.join(Precision)}; {_MEASURED_IN}.")
    return "\n\n".join([*parts, table(header, lines, numbers=range(3, len(header)))]) + "\n"


def _basis(plans: Sequence[Plan], tflops: float | None) -> str:
    bases = set[str]().union(*(plan.bases for plan in plans))
    devices = set[str]().union(*(plan.rates.devices for plan in plans))
    text = "Hours are floating-point operations over a rate; a cell has one device. "
    if tflops is not None:
        return f"{text}The rate of {tflops:g} TFLOP/s is stated (--tflops)."
    if "measured" in bases:
        where = f" on {', '.join(sorted(devices))}" if devices else ""
        text += f"Rates are those of finished cells{where}, of the same kind if there are any. "
    if "assumed" in bases:
        text += f"An {ASSUMED_DEVICE}'s rates are ASSUMED, not measured; --tflops states yours."
    return text.rstrip()


def _counts(plan: Plan) -> str:
    lines = []
    for group, jobs in plan.groups.items():
        rate, row = plan.rates.of(jobs[0].cell), plan.row(jobs)
        shown = (f"{rate.per_second / 1e12:.3g}", rate.origin, hours(row.seconds))
        lines.append([*group, *(f"{count:,}" for count in row[:3]), *shown])
    total = plan.total
    numbers = (f"{count:,}" for count in total[:3])
    lines.append(["total", "", "", *numbers, "", "", hours(total.seconds)])
    header = ["kind", "network", "dataset", "cells", "exist", "to do", "TFLOP/s", "rate", "hours"]
    return table(header, lines, numbers=(3, 4, 5, 6, 8))


def _additions(plan: Plan) -> str:
    lines, nothing, together = [], [], 0.0
    for name, cells, added in plan.additions():
        seconds = sum(plan.seconds[job] for job in added)
        together += seconds
        if added:
            lines.append([name, f"{cells:,}", f"{len(added):,}", hours(seconds), hours(together)])
        else:
            nothing.append(name)
    header = ["to make", "cells", "adds cells", "adds hours", "hours so far"]
    text = f"What each adds to those above it:\n\n{table(header, lines, numbers=range(1, 5))}"
    if not nothing:
        return text
    more = f" and {len(nothing) - _NAMED} more" if len(nothing) > _NAMED else ""
    return f"{text}\n\nThese add nothing: {', '.join(nothing[:_NAMED])}{more}."


def _hours_by_precision(plan: Plan) -> dict[str, list[str]]:
    """Hours of one device of each kind, by what training computes in, at assumed rates."""
    trained, measured = (1e-12 * plan.operations(trainings=which) for which in (True, False))
    return {
        device: [hours(trained / rates[p] + measured / rates[Precision.FLOAT32]) for p in Precision]
        for device, rates in ASSUMED.items()
    }


def _by_precision(plan: Plan) -> str:
    """Rates and hours of one device, by what training computes in."""
    rows = []
    for device, took in _hours_by_precision(plan).items():
        rates = (f"{ASSUMED[device][p]:.3g}" for p in Precision)
        rows.append([f"{device}: TFLOP/s, assumed", *rates])
        rows.append([f"{device}: hours of all", *took])
    return f"The same by `precision` of training; {_MEASURED_IN}:\n\n" + table(
        ["training in", *Precision], rows, numbers=range(1, 1 + len(Precision))
    )


def _disk(plan: Plan) -> str:
    return f"{plan.bytes / 1e9:.1f} GB" if plan.bytes >= 1e9 else f"{plan.bytes / 1e6:.1f} MB"
