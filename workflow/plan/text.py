"""Plans as text: columns that fit a terminal, and Markdown for a README."""

from __future__ import annotations

from collections.abc import Sequence

from rst_core.spec import TrainingCell
from workflow.plan.calibration import PlanError
from workflow.plan.needs import kind_of
from workflow.plan.planner import Count, Plan

AXES = ("kind", "network", "dataset")


def hours(seconds: float) -> str:
    """Hours with about two digits: 0.03, 1.4, 36, 1,200."""
    value = seconds / 3600
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """For people: 45 s, 12 min, 5.2 h, 3.1 days."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            return (
                f"{seconds / size:.1f} {unit}"
                if seconds < 10 * size
                else f"{seconds / size:.0f} {unit}"
            )
    return f"{seconds:.0f} s"


def size(number: float) -> str:
    """Bytes for people."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number / 1e3:.0f} kB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int, markdown: bool) -> str:
    """Rows under a head; the first ``words`` columns are words, the others numbers."""
    if markdown:
        align = ["---"] * words + ["---:"] * (len(head) - words)
        return "\n".join("| " + " | ".join(line) + " |" for line in [head, align, *rows])
    widths = [max(len(line[i]) for line in [head, *rows]) for i in range(len(head))]
    lines = []
    for line in [head, *rows]:
        cells = [
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def plan_text(
    plan: Plan, heading: str, devices: Sequence[int], by: Sequence[str], *, markdown: bool = False
) -> str:
    """The whole plan.

    Args:
        plan: what to show.
        heading: its first line.
        devices: numbers of devices for which to say when everything is done.
        by: axes of the first table, some of :data:`AXES`.
        markdown: tables in Markdown.

    Raises:
        PlanError: for an axis that does not exist.
    """
    total = plan.total
    parts = [heading, _origin(plan)]
    parts.append(_counts(plan, by, markdown))
    if len(plan.additions) > 1 or len({key[1] for key in plan.rows}) > 1:
        parts.append(_additions(plan, markdown))
    if not total.to_do:
        parts.append("Nothing is to do: all files are there.")
    elif sum(plan.uncalibrated.values()) == total.to_do:
        parts.append("No hours: the calibration knows none of these cells.")
    elif plan.calibration is not None:
        parts.append("\n".join(_wall(plan, count) for count in devices) + "\n" + _disk(plan))
    remarks = _remarks(plan)
    if remarks:
        parts.append("\n".join(f"- {remark}" for remark in remarks))
    return "\n\n".join(parts) + "\n"


def _origin(plan: Plan) -> str:
    if plan.calibration is None:
        return "No hours: there is no calibration; 'rst calibrate' makes one in a few minutes."
    return (
        f"Times: {plan.calibration.origin}.\n"
        f"Hours include a margin of {plan.margin - 1:.0%}; every cell has one device."
    )


def _unit(plan: Plan) -> str:
    assert plan.calibration is not None
    assumed = " (assumed)" if plan.calibration.assumed else ""
    return plan.calibration.unit + assumed


def _counts(plan: Plan, by: Sequence[str], markdown: bool) -> str:
    unknown = [axis for axis in by if axis not in AXES]
    if unknown:
        raise PlanError(f"--by is {unknown[0]!r}; allowed are {', '.join(AXES)}")
    at = [AXES.index(axis) for axis in by]
    grouped: dict[tuple[str, ...], Count] = {}
    for key, row in plan.rows.items():
        count = grouped.setdefault(tuple(key[i] for i in at), Count())
        count.cells += row.cells
        count.there += row.there
        count.to_do += row.to_do
        count.seconds += row.seconds
    head = [*by, "cells", "exist", "to do"]
    lines = [
        [*key, f"{c.cells:,}", f"{c.there:,}", f"{c.to_do:,}", hours(c.seconds)]
        for key, c in sorted(grouped.items())
    ]
    t = plan.total
    last = [f"{t.cells:,}", f"{t.there:,}", f"{t.to_do:,}", hours(t.seconds)]
    lines.append(["total", *[""] * (len(by) - 1), *last])
    if plan.calibration is None:
        lines = [line[:-1] for line in lines]
    else:
        head.append(_unit(plan))
    return table(head, lines, len(by), markdown)


def _additions(plan: Plan, markdown: bool) -> str:
    """What each part adds, split by network where there are several."""
    networks = list(dict.fromkeys(name for added in plan.additions for name in added.seconds))
    head = ["to make", "cells", "exist", "adds"]
    with_hours = plan.calibration is not None
    split = networks if with_hours and len(networks) > 1 else []
    if with_hours:
        head += [*split, "adds, h", "together, h", "adds, disk"]
    lines = []
    together = 0.0
    for added in plan.additions:
        own = sum(added.seconds.values())
        together += own
        line = [added.part.name, f"{added.cells:,}", f"{added.there:,}", f"{added.adds:,}"]
        if with_hours:
            line += [hours(added.seconds[n]) if n in added.seconds else "" for n in split]
            line += [hours(own), hours(together), size(added.bytes)]
        lines.append(line)
    unit = f" {_unit(plan)}" if with_hours else ""
    title = f"What each adds to those before it, in{unit}:" if unit else "What each adds:"
    return f"{title}\n\n" + table(head, lines, 1, markdown)


def _wall(plan: Plan, devices: int) -> str:
    wall, chain = plan.wall(devices), plan.chain()
    assert plan.calibration is not None
    name = "GPU" if plan.calibration.device_type == "cuda" else "job at a time"
    plural = name.replace("job", "jobs") if "job" in name else f"{name}s"
    text = f"With {devices} {name if devices == 1 else plural}: {duration(wall)}"
    longest = sum(plan.seconds[i] for i in chain)
    if wall < 1.05 * longest and len(chain) > 1:
        kinds = " -> ".join(kind_of(plan.to_do[i]) for i in chain)
        text += f", which is the longest chain ({kinds}); more would not help"
    return text + "."


def _disk(plan: Plan) -> str:
    text = f"Disk: {size(plan.total.bytes)} of results"
    if plan.checkpoint_bytes:
        text += (
            f", and up to {size(plan.checkpoint_bytes)} of checkpoint for every training that runs"
        )
    return text + "."


def _remarks(plan: Plan) -> list[str]:
    found = list(plan.remarks)
    if plan.calibration is not None:
        found += plan.calibration.notes
    total = plan.total
    if unasked := total.cells - total.there - total.to_do:
        found.append(f"{unasked:,} cells are missing but only under files that exist: not to do")
    found += [f"no hours for {n:,} cells: {reason}" for reason, n in plan.uncalibrated.items()]
    if plan.calibration is not None and any(not isinstance(c, TrainingCell) for c in plan.to_do):
        measured = ", ".join(f"{name} {share:.0%}" for name, share in plan.standing.items())
        found.append(
            "attacks that leave fallen images alone: the share of images that stand is taken "
            + (f"from finished cells' natural accuracy ({measured}), else " if measured else "")
            + "as all of them, an upper bound"
        )
    return found
