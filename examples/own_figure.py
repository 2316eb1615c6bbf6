"""Draw a figure of one's own from results/cells.csv, which 'snakemake cells_csv' makes.

python examples/own_figure.py results/cells.csv own_figure.png
"""

import sys

import matplotlib
import pandas as pd
import seaborn as sns

matplotlib.use("Agg")
source, picture = sys.argv[1:]

cells = pd.read_csv(source)
white_box = cells[(cells.kind == "Evaluation") & cells.candidates.isna()]
chosen = white_box[
    (white_box.model == "rst") & (white_box.pattern == "element") & (white_box.attack == "pgd20")
]
grid = sns.relplot(
    chosen,
    x="keep_ratio",
    y="value",
    hue="measure",
    row="dataset",
    col="network",
    kind="line",
    marker="o",
)
grid.set_axis_labels("keep ratio", "accuracy (%)")
grid.savefig(picture)
print(f"wrote {picture} from {len(chosen)} of {len(cells)} numbers")
