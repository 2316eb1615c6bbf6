"""The transcription of the paper's numbers, against its text and against itself.

The sums below were taken from the text's own lines in a second pass: Tables 6 to 9 from the
supplement, while the files were transcribed from the main text with appendix.
"""

import csv
import re
from decimal import Decimal
from fnmatch import fnmatchcase

import pytest

from tests.paper.transcription import FILES, printed
from workflow.artifacts.numbers.summary import PAPER, paper_values

COUNTS = {
    "fig1": 12, "fig7": 56, "sec47": 4, "table1": 18, "table2": 36, "table3": 16, "table4": 16,
    "table5": 12, "table6": 98, "table7": 28, "table8": 32, "table9": 16, "text": 35,
}  # fmt: skip
#: File, pattern of rows, pattern of columns, sum of the numbers there.
SUMS = """
table1 *18/dense/eps2     *                         104.51
table1 *50/rst@0.4/eps2   *                         98.49
table1 *101/rst@0.25/eps2 *                         111.83
table1 *18/dense/eps4     *                         87.04
table1 *50/rst@0.4/eps4   *                         77.76
table1 *101/rst@0.25/eps4 *                         92.14
table1 *                  parameters_m              62.40
table1 *                  imagenet/natural          322.26
table1 *                  imagenet/pgd20_small-eps2 112.98
table1 *                  imagenet/pgd20_small-eps4 74.13

table2 */dense    *         278.65
table2 */rst@0.05 *         306.84
table2 */rst@0.07 *         300.15
table2 */rst@0.1  *         307.27
table2 */rst@0.15 *         304.62
table2 */rst@0.2  *         307.55
table2 resnet*    *-eps0.5  377.83
table2 resnet*    *-eps1.71 261.60
table2 resnet*    *-eps2    251.60
table2 wide*      *-eps0.5  396.60
table2 wide*      *-eps1.71 263.93
table2 wide*      *-eps2    253.52

table3 resnet18/dense     *                215.74
table3 resnet18/r2s       *                234.55
table3 wideresnet32/dense *                229.15
table3 wideresnet32/r2s   *                247.41
table3 *                  cifar10/natural  327.02
table3 *                  cifar10/robust   233.94
table3 *                  cifar100/natural 224.86
table3 *                  cifar100/robust  141.03

table4 resnet18/dense     *                         182.42
table4 resnet18/r2s       *                         208.34
table4 wideresnet32/dense *                         198.01
table4 wideresnet32/r2s   *                         226.00
table4 *                  cifar10/auto_attack-eps8  204.03
table4 *                  cifar10/auto_attack-eps12 189.78
table4 *                  cifar10/cw_inf-eps8       215.72
table4 *                  cifar10/cw_inf-eps12      205.24

table5 *              */eot_pgd20-eps8      199.42
table5 *              */ensemble_pgd20-eps8 195.38
table5 *              */pgd20-eps8          159.21
table5 resnet18/*     cifar10/*             166.83
table5 resnet18/*     cifar100/*            99.60
table5 wideresnet32/* cifar10/*             179.35
table5 wideresnet32/* cifar100/*            108.23

table6 resnet18/dense        *                         366.36
table6 resnet18/rst@0.05     *                         353.04
table6 resnet18/rst@0.1      *                         356.54
table6 resnet18/rst@0.2      *                         345.62
table6 resnet18/rst@0.3      *                         356.32
table6 resnet18/rst@0.5      *                         341.66
table6 resnet18/rst@0.7      *                         332.88
table6 wideresnet32/dense    *                         390.28
table6 wideresnet32/rst@0.05 *                         379.60
table6 wideresnet32/rst@0.1  *                         376.19
table6 wideresnet32/rst@0.2  *                         379.50
table6 wideresnet32/rst@0.3  *                         386.23
table6 wideresnet32/rst@0.5  *                         375.80
table6 wideresnet32/rst@0.7  *                         358.13
table6 resnet*               cifar10/auto_attack-eps8  309.50
table6 resnet*               cifar10/auto_attack-eps12 276.86
table6 wide*                 cifar10/auto_attack-eps8  330.92
table6 wide*                 cifar10/auto_attack-eps12 303.07
table6 resnet*               cifar10/cw_inf-eps8       327.09
table6 resnet*               cifar10/cw_inf-eps12      307.51
table6 wide*                 cifar10/cw_inf-eps8       359.43
table6 wide*                 cifar10/cw_inf-eps12      336.00
table6 resnet*               cifar10/bandits-eps8      446.76
table6 resnet*               cifar10/bandits-eps12     429.62
table6 wide*                 cifar10/bandits-eps8      473.46
table6 wide*                 cifar10/bandits-eps12     454.53
table6 resnet18/*            cifar10/cw_l2             355.08
table6 wideresnet32/*        cifar10/cw_l2             388.32

table7 dense_natural         *                 692.19
table7 dense_adversarial     *                 645.55
table7 same_ratio_other_seed *                 529.58
table7 *                     0.03              192.88
table7 *                     0.05              201.14
table7 *                     0.07              207.30
table7 *                     0.1               208.24
table7 *                     0.15              207.86
table7 *                     0.2               214.22
table7 *                     0.4               213.58
table7 *                     0.6               208.67
table7 *                     dense_natural     81.96
table7 *                     dense_adversarial 131.47

table8 */dense                               *                   444.89
table8 */r2s@0.03+0.05+0.07+0.1              *                   459.70
table8 */r2s@0.03+0.05+0.07+0.1+0.15+0.2+0.3 *                   478.03
table8 */r2s@0.07+0.1+0.15+0.2+0.3           *                   481.76
table8 resnet18/*                            cifar10/natural     311.69
table8 resnet18/*                            cifar10/pgd20-eps8  238.84
table8 wideresnet32/*                        cifar10/natural     329.21
table8 wideresnet32/*                        cifar10/pgd20-eps8  252.00
table8 resnet18/*                            cifar100/natural    209.01
table8 resnet18/*                            cifar100/pgd20-eps8 144.70
table8 wideresnet32/*                        cifar100/natural    222.10
table8 wideresnet32/*                        cifar100/pgd20-eps8 156.83

table9 */dense                               *                   215.74
table9 *_r2s@0.03+0.05+0.07+0.1              *                   229.22
table9 *_r2s@0.03+0.05+0.07+0.1+0.15+0.2+0.4 *                   239.26
table9 *_r2s@0.07+0.1+0.15+0.2+0.4           *                   240.52
table9 *                                     cifar10/natural     317.20
table9 *                                     cifar10/pgd20-eps8  241.45
table9 *                                     cifar100/natural    217.01
table9 *                                     cifar100/pgd20-eps8 149.08

fig7 0.03 *    545.3
fig7 0.07 *    508.7
fig7 0.1  *    506.2
fig7 0.15 *    519.5
fig7 0.2  *    502.7
fig7 0.4  *    502.2
fig7 0.6  *    512.3
fig7 *    0.03 404.7
fig7 *    0.05 446.5
fig7 *    0.07 456.8
fig7 *    0.1  459.0
fig7 *    0.15 435.7
fig7 *    0.2  473.2
fig7 *    0.4  470.3
fig7 *    0.6  450.7
"""


def test_every_file_is_counted():
    assert {name: len(printed(name)) for name in FILES} == COUNTS


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_one_row_a_number_and_a_line_in_the_readme(name):
    with FILES[name].open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file))
    assert head[1:] == ["row", "column", "value"]
    assert head[0] == {"fig": "figure", "tab": "table"}.get(name[:3], "section")
    assert len({(row, column) for _, row, column, _ in rows}) == len(rows) == COUNTS[name]
    if number := re.fullmatch(r"(?:table|fig)(\d+)", name):
        assert {where for where, *_ in rows} == {number[1]}
    readme = (PAPER / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name}\.csv` \|.*\| {len(rows)} \|", readme, re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_it_is_printed(name):
    assert paper_values(name) == {key: float(value) for key, value in printed(name).items()}


def sums() -> dict[str, list[tuple[str, str, Decimal]]]:
    """By file: patterns of a row and a column, and the sum of what matches them."""
    found: dict[str, list[tuple[str, str, Decimal]]] = {}
    for name, row, column, total in (line.split() for line in SUMS.split("\n") if line):
        found.setdefault(name, []).append((row, column, Decimal(total)))
    return found


@pytest.mark.parametrize("name", sums())
def test_lines_and_columns_have_the_sums_of_the_text(name):
    values = printed(name)
    for row, column, total in sums()[name]:
        found = [
            v for (r, c), v in values.items() if fnmatchcase(r, row) and fnmatchcase(c, column)
        ]
        assert sum(found) == total, (row, column)


@pytest.mark.parametrize("name", sums())
def test_every_number_is_in_a_line_and_in_a_column(name):
    """Else a slip could hide from the sums."""
    patterns = [(row, column) for row, column, _ in sums()[name]]
    for row, column in printed(name):
        matching = [(r, c) for r, c in patterns if fnmatchcase(row, r) and fnmatchcase(column, c)]
        assert len(matching) == 2, (row, column)
