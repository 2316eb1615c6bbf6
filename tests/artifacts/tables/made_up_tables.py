"""Tables of invented numbers, which a test may give, and their grids."""

from functools import cache

import pandas as pd

from rst_core.identity import Ticket
from tests.artifacts.made_up import bare_record, targets
from workflow.artifacts.numbers.frame import COLUMNS, cell_rows
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.grid import make_grid


def made_up(matrix, cells, robust=lambda cell, target: 40, total=100):
    """A frame in which natural accuracy is 60 + seed; ``robust`` gives the other."""
    rows = []
    for cell in cells:
        results = []
        for target in targets(cell, matrix):
            kept = target.keep_ratio if isinstance(target, Ticket) else 1.0
            right = robust(cell, target)
            results.append(
                {
                    "model": target.path,
                    "natural": {"correct": 60 + target.network.seed, "total": total},
                    "robust": {"correct": right, "total": total},
                    "parameters": 2_000_000,
                    "parameters_kept": round(2_000_000 * kept),
                }
            )
        rows += cell_rows(bare_record(cell, results))
    return pd.DataFrame(rows, columns=COLUMNS)


def of_table(name, matrix, **how):
    return made_up(matrix, TABLES[name].cells(matrix), **how)


@cache
def built(name, matrix):
    return TABLES[name].build(of_table(name, matrix), matrix)


def shown(name, matrix, data=None, footnotes=None):
    data = built(name, matrix) if data is None else data
    return make_grid(data, TABLES[name].positions(matrix), TABLES[name].titles, footnotes or {})
