"""From the config to cells: which there are, of what, judged by whom."""

import pytest

from rst_core.identity import Dense, Evaluation, Ticket, TransferRow, parse_cell
from rst_core.vocabulary import Origin, Selection
from tests.conftest import ROOT
from tests.test_config import DELTAS, PAPER, extended
from workflow.config import ConfigError, read_config
from workflow.matrix import Matrix


@pytest.fixture(scope="module")
def matrix():
    return Matrix(read_config(PAPER))


@pytest.mark.parametrize("delta", DELTAS, ids=lambda p: p.stem)
def test_every_committed_matrix_is_valid_and_has_a_settings_for_every_cell(delta):
    matrix = Matrix(read_config(extended(delta)))
    for cell in matrix.all_cells():
        network = cell.model.network
        assert matrix.network_settings(network)
        assert matrix.training_settings(network.dataset)
        if isinstance(cell, Evaluation | TransferRow):
            assert matrix.attack(cell).seed == network.seed


def test_the_papers_matrix_has_the_papers_axes(matrix):
    existence = [m for m in matrix.models("existence") if isinstance(m, Ticket)]
    ratios = {t.keep_ratio for t in existence}
    assert {0.01, 0.05, 0.2, 0.9} <= ratios
    assert len(existence) == len(ratios) * 2 * 2 * 3
    assert {m.network.seed for m in existence} == {0, 1, 2}


def test_cells_that_several_experiments_need_exist_once(matrix):
    cells = matrix.all_cells()
    assert len(cells) == len(set(cells)) == len({cell.path for cell in cells})
    assert set(matrix.cells("r2s")) & set(matrix.cells("transfer"))
    for cell in cells[::50]:
        assert parse_cell(cell.path) == cell


def test_a_row_is_judged_by_its_source_and_by_its_whole_group(matrix):
    source = next(m for m in matrix.models("transfer") if isinstance(m, Ticket))
    row = TransferRow(source, Selection.BEST_VAL, "tickets", "pgd20", 8)
    targets = [t.model for t in matrix.targets(row)]
    assert source in targets
    assert {t.keep_ratio for t in targets} >= set(matrix.config.transfer_targets)
    assert all(t.network == source.network for t in targets)
    dense = Dense(source.network, source.adversary)
    both = TransferRow(dense, Selection.BEST_VAL, "tickets_and_dense", "pgd20", 8)
    kinds = {type(t.model) for t in matrix.targets(both)}
    assert kinds == {Ticket, Dense}
    assert Dense(source.network, None) in [t.model for t in matrix.targets(both)]
    others = TransferRow(source, Selection.BEST_VAL, "other_seeds", "pgd20", 8)
    seeds = [t.model.network.seed for t in matrix.targets(others)]
    assert sorted(seeds) == [0, 1, 2]
    assert seeds[0] == source.network.seed
    with pytest.raises(ConfigError, match="allowed is tickets"):
        matrix.targets(TransferRow(source, Selection.BEST_VAL, "friends", "pgd20", 8))


def test_rows_of_seeds_that_only_their_experiment_has_go_both_ways():
    demo = Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))
    assert demo.config.seeds == [0]
    rows = demo.cells("transfer_seeds")
    judged = [[t.model.network.seed for t in demo.targets(row)] for row in rows]
    assert judged == [[0, 1], [1, 0]]
    raw = extended(ROOT / "demo" / "matrix.yaml")
    for name in ("transfer_seeds", "r2s_stress_seeds"):
        raw["experiments"][name]["models"] = []
    alone = Matrix(read_config(raw))
    assert [t.model.network.seed for t in alone.targets(rows[0])] == [0], "no experiment asks"


def test_a_candidate_sets_row_goes_to_the_sets_of_the_other_seeds(matrix):
    rows = matrix.cells("r2s_stress_seeds")
    assert len(rows) == 2 * 2 * 3
    row = rows[0]
    assert isinstance(row, TransferRow)
    assert parse_cell(row.path) == row
    own = [cell.model for cell in matrix.sources(row)]
    judges = [cell.model for cell in matrix.targets(row)]
    assert judges[: len(own)] == own == list(row.model.tickets)
    assert [t.network.seed for t in judges] == [0] * 6 + [1] * 6 + [2] * 6
    assert {t.keep_ratio for t in judges} == set(row.model.keep_ratios)
    astray = TransferRow(row.model, row.selection, "tickets", row.attack, row.eps)
    with pytest.raises(ConfigError, match="cannot go to tickets; allowed is other_seeds"):
        matrix.targets(astray)


def test_an_rtt_needs_its_dense_to_be_searched_and_to_be_loaded(matrix):
    from dataclasses import replace

    rst = next(m for m in matrix.models("transfer") if isinstance(m, Ticket))
    rtt = replace(rst, origin=Origin.RTT_NATURAL)
    assert [b.model for b in matrix.bases(rtt)] == [Dense(rst.network, None)]
    assert matrix.bases(rst) == []
    evaluation = Evaluation(rtt, Selection.BEST_VAL, "pgd20", 8)
    loaded = matrix.loaded(matrix.sources(evaluation))
    assert [c.model for c in loaded] == [rtt, Dense(rst.network, None)]


def test_an_attack_that_the_config_does_not_have_is_refused(matrix):
    ticket = next(m for m in matrix.models("transfer") if isinstance(m, Ticket))
    with pytest.raises(ConfigError, match="'pgd9' is not in attacks; allowed is one of pgd20"):
        matrix.attack(Evaluation(ticket, Selection.BEST_VAL, "pgd9", 8))
    with pytest.raises(ConfigError, match="eps is None; allowed is a size"):
        matrix.attack(Evaluation(ticket, Selection.BEST_VAL, "pgd20", None))
    with pytest.raises(ConfigError, match="eps is 8, but cw_l2 takes no eps"):
        matrix.attack(Evaluation(ticket, Selection.BEST_VAL, "cw_l2", 8))


def test_the_attack_experiment_is_table_6(matrix):
    cells = [c for c in matrix.cells("attacks") if isinstance(c, Evaluation)]
    assert len(cells) == 2 * 3 * 7 * 7, "networks x seeds x (dense and 6 tickets) x columns"
    names = {c.path.rpartition("/")[2] for c in cells}
    assert names == {
        "cw_l2.json",
        *(f"{a}-eps{e}.json" for a in ("auto_attack", "cw_inf", "bandits") for e in (8, 12)),
    }
    rows = [c for c in matrix.cells("r2s_attacks") if isinstance(c, TransferRow)]
    assert len(rows) == 2 * 3 * 6 * 4
    bandits = next(c for c in cells if c.attack == "bandits")
    assert matrix.attack(bandits).steps == 5000


def test_a_natural_dense_is_attacked_at_the_experiments_first_eps():
    both = {"models": ["dense_natural", "rst"], "eps": [12, 8], "keep_ratios": [0.2]}
    mine = both | {"evaluate": [{"attack": "pgd20"}]}
    raw = PAPER | {"experiments": PAPER["experiments"] | {"mine": mine}}
    cells = Matrix(read_config(raw)).cells("mine")
    assert {cell.eps for cell in cells if isinstance(cell.model, Dense)} == {12}
    assert {cell.eps for cell in cells} == {8, 12}
