"""The transcription of the paper's numbers, against its text and against itself.

The sums below were taken from the text's own lines in a second pass: Tables 6 to 9 from the
supplement, while the files were transcribed from the main text with appendix.
"""

import csv
import re
from decimal import Decimal
from fnmatch import fnmatchcase

import numpy as np
import pytest

from rst_core.storage import FileError
from workflow.artifacts.numbers.summary import PAPER, paper_values
from workflow.artifacts.numbers.summary import printed as read_printed

#: Files that say under an artifact's keys what another file says under its own.
REPEATING = ("parameters", "r2s_stress")
ALL = {path.stem: path for path in sorted(PAPER.glob("*.csv"))}
FILES = {name: path for name, path in ALL.items() if name not in REPEATING}

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


def printed(name: str) -> dict[tuple[str, str], Decimal]:
    """A file's numbers with the decimals they are printed with."""
    with ALL[name].open(encoding="utf-8", newline="") as file:
        return {(r["row"], r["column"]): Decimal(r["value"]) for r in csv.DictReader(file)}


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


def test_parameter_counts_are_those_of_table_1():
    table1 = {
        row.removesuffix("/eps2"): value
        for (row, column), value in printed("table1").items()
        if column == "parameters_m" and row.endswith("/eps2")
    }
    assert {row: value for (row, _), value in printed("parameters").items()} == table1


def test_what_r2s_stress_repeats_is_what_tables_3_and_5_print():
    sources = {
        "dense/pgd20": ("table5", "dense", "pgd20-eps8"),
        "r2s/natural": ("table3", "r2s", "natural"),
        "r2s/pgd20": ("table3", "r2s", "robust"),
        "r2s/eot_pgd20": ("table5", "r2s", "eot_pgd20-eps8"),
        "r2s/ensemble_pgd20": ("table5", "r2s", "ensemble_pgd20-eps8"),
    }
    repeated = printed("r2s_stress")
    assert len(repeated) == 4 * len(sources)
    for (row, column), value in repeated.items():
        table, model, measure = sources[row]
        network, dataset = column.split("/")
        assert printed(table)[f"{network}/{model}", f"{dataset}/{measure}"] == value


def test_an_artifact_without_published_numbers_has_none():
    assert paper_values("nothing") == {}


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


def test_the_dense_rows_are_the_same_in_all_tables():
    pgd = {
        (row, column.replace("robust", "pgd20-eps8")): value
        for (row, column), value in printed("table3").items()
        if row.endswith("/dense")
    }
    for name in ("table5", "table8", "table9"):
        dense = {key: v for key, v in printed(name).items() if key[0].endswith("/dense")}
        assert dense
        assert dense.items() <= pgd.items()
    own = printed("table7")["dense_adversarial", "dense_adversarial"]
    assert own == pgd["resnet18/dense", "cifar10/pgd20-eps8"]
    four = {key: v for key, v in printed("table4").items() if key[0].endswith("/dense")}
    assert len(four) == 8
    assert four.items() <= printed("table6").items()


def test_the_dense_networks_of_figure_1_are_those_of_table_3():
    fig1, table3 = printed("fig1"), printed("table3")
    dense = {
        (row, column): v for (row, column), v in fig1.items() if row.endswith("_adversarial@1")
    }
    assert len(dense) == 8
    for (row, column), value in dense.items():
        assert value == table3[row.removesuffix("_adversarial@1"), column]


#: What stands in no table, in the paper's words, and the keys of its numbers in order.
QUOTES = {
    "[59] achieves a 50.48% robust accuracy with a sparsity of 80%": [
        ("sec47", "wideresnet32/adversarial_lottery_ticket@0.2", "cifar10/pgd20-eps8"),
        ("sec47", "wideresnet32/adversarial_lottery_ticket@0.2", "sparsity_percent"),
    ],
    "our RST achieves a 51.39% robust accuracy with a sparsity of 90%": [
        ("sec47", "wideresnet32/rst@0.1", "cifar10/pgd20-eps8"),
        ("sec47", "wideresnet32/rst@0.1", "sparsity_percent"),
    ],
    "with a 60% reduction in the total number of parameters": [
        ("text", "wideresnet32/rst@0.1", "parameters_percent/below/resnet18/dense"),
    ],
    "the vanilla untrained RSTs is within -0.22%∼3.52%": [
        ("text", "finetuned_inherited@0.01-0.2", "pgd20-eps8/above/rst@0.01-0.2/least"),
        ("text", "finetuned_inherited@0.01-0.2", "pgd20-eps8/above/rst@0.01-0.2/most"),
    ],
    "an 80% parameter reduction": [
        ("text", "wideresnet32/rst@0.05", "parameters_percent/below/resnet18/dense"),
    ],
    "a 95% reduction in the model size": [
        ("text", "wideresnet32/rst@0.05", "parameters_percent/below/wideresnet32/dense"),
    ],
    "negligible (e.g., 3%)": [("text", "mask", "parameters_percent")],
    "a 0.84%/1.58% higher robust/natural accuracy": [
        ("text", "resnet18/rtt_adversarial_r2s", "cifar10/pgd20-eps8/above/resnet18/r2s"),
        ("text", "resnet18/rtt_adversarial_r2s", "cifar10/natural/above/resnet18/r2s"),
    ],
    "a 1.68% robust accuracy drop over the corresponding RST": [
        ("text", "resnet18/rtt_transferred@0.05", "cifar100/pgd20-eps8/below/resnet18/rst@0.05"),
    ],
    "up to a 2.75% higher robust accuracy than transferred adversarial RTTs": [
        ("text", "resnet18/rst", "svhn/pgd20-eps8/above/resnet18/rtt_transferred/most"),
    ],
}


def test_what_stands_in_no_table_is_as_the_text_has_it():
    for quote, keys in QUOTES.items():
        numbers = re.findall(r"-?[\d.]+(?=%)", quote)
        assert [Decimal(n) for n in numbers] == [printed(f)[row, column] for f, row, column in keys]


def test_r2s_of_table_8_is_the_mean_of_figure_7():
    """61.03 for {3, 5, 7, 10} %; the three rows that the text still has average 60.9 [6.2]."""
    fig7, ratios = paper_values("fig7"), ("0.03", "0.05", "0.07", "0.1")
    rows = [fig7[r, c] for r in ratios for c in ratios if r != "0.05"]
    assert len(rows) == 12
    assert np.mean(rows) == pytest.approx(60.9, abs=0.05)
    published = paper_values("table8")["resnet18/r2s@0.03+0.05+0.07+0.1", "cifar10/pgd20-eps8"]
    assert np.mean(rows) == pytest.approx(published, abs=0.2)


def test_figure_7_has_its_lowest_numbers_on_the_diagonal():
    fig7 = paper_values("fig7")
    diagonal = {value for (row, column), value in fig7.items() if row == column}
    assert max(diagonal) < min(set(fig7.values()) - diagonal)


def accuracies() -> dict[tuple[str, str], Decimal]:
    """The accuracies of single models, with one spelling of PGD-20."""
    return {
        (row, column.replace("robust", "pgd20-eps8")): value
        for name in ("table1", "table2", "table3", "table4", "table6", "fig1")
        for (row, column), value in printed(name).items()
    }


def test_differences_in_the_text_are_those_of_the_tables():
    """All but one: section 5.5 gives for CW-Inf what Table 6 has for CW-L2."""
    known, checked, wrong = accuracies(), 0, {}
    for (row, column), value in printed("text").items():
        if not (parts := re.fullmatch("(.+)/(above|below)/(.+)", column)):
            continue
        measure, direction, other = parts.groups()
        if {(row, measure), (other, measure)} <= known.keys():
            checked += 1
            above = known[row, measure] - known[other, measure]
            if value != (above if direction == "above" else -above):
                wrong[row, column] = (value, above)
    assert checked == 13
    cw_inf = ("wideresnet32/rst@0.05", "cifar10/cw_inf-eps8/above/resnet18/dense")
    assert wrong == {cw_inf: (Decimal("2.80"), Decimal("2.54"))}
    cw_l2 = [known[row, "cifar10/cw_l2"] for row in ("wideresnet32/rst@0.05", "resnet18/dense")]
    assert cw_l2[0] - cw_l2[1] == Decimal("2.80")


def gains(name: str, network: str, dataset: str, attacks: str) -> list[Decimal]:
    """A table's R2S above its dense network; the adaptive attacks are above plain PGD-20."""
    values, found = printed(name), []
    for (row, column), value in values.items():
        on, attack = column.split("/")
        if row.startswith(f"{network}/") and "r2s" in row and on == dataset:
            dense = values[f"{network}/dense", re.sub("eot_|ensemble_", "", column)]
            found += [value - dense] if fnmatchcase(attack, attacks) else []
    return found


def test_gains_of_r2s_in_the_text_are_those_of_the_tables():
    text, networks = printed("text"), ("resnet18", "wideresnet32")
    ranges = {
        "cifar10/pgd20-eps8": [
            g for n in networks for g in gains("table3", n, "cifar10", "robust")
        ],
        "cifar10/auto_attack": [
            g for n in networks for g in gains("table4", n, "cifar10", "auto*")
        ],
        # The stronger of the two attacks on each network; CIFAR-100 is not in the range.
        "adaptive": [min(gains("table5", n, "cifar10", "*_pgd20-eps8")) for n in networks],
    }
    for measure, found in ranges.items():
        assert min(found) == text["r2s", f"{measure}/above/dense/least"]
        assert max(found) == text["r2s", f"{measure}/above/dense/most"]
    for dataset in ("cifar10", "cifar100"):
        for row, name in (
            ("resnet18/r2s", "table8"),
            ("wideresnet32/r2s", "table8"),
            ("resnet18/rtt_adversarial_r2s", "table9"),
        ):
            network = row.split("/")[0]
            most = text[row, f"{dataset}/pgd20-eps8/above/{network}/dense/most"]
            assert max(gains(name, network, dataset, "pgd20-eps8")) == most


@pytest.mark.parametrize(
    "line", ["a,b,1.5", "a,c,nan", "a,c,-101", "a,c,many", "a", ",c,1"], ids=lambda line: line
)
def test_a_number_of_the_papers_that_cannot_be_is_named_by_file_and_line(tmp_path, line):
    path = tmp_path / "table0.csv"
    path.write_text(f"row,column,value\na,b,1\n{line}\n")
    with pytest.raises(FileError, match=r"table0.csv is damaged: line 3.*; mend the line, or"):
        read_printed(path)
