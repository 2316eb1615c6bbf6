"""The record of the small demo's cells is whole, and a changed result is not taken for it.

The cells themselves are compared where Snakemake makes them: tests/slurm/test_whole_demo.py.
"""

from __future__ import annotations

import copy

import pytest

from rst_core.identity import FeatureDistance
from tests.golden.cells import Numbers, apart, expected, small

ATTACKED = (
    "digits/resnet18_narrow/signed_kaiming_constant-seed0/dense-natural/best_val/"
    "transfer_to_tickets_and_dense-pgd20-eps8.json"
)
FEATURES = "digits/resnet18_narrow/signed_kaiming_constant-seed0/untrained/feature_distance.json"


def test_the_record_is_of_the_small_demos_cells_and_images():
    matrix, known = small(), expected()
    assert known.keys() == {cell.path for cell in matrix.all_cells()}
    for cell in matrix.all_cells():
        settings, of = matrix.settings(cell), set(known[cell.path]["of"])
        if isinstance(cell, FeatureDistance):
            assert of == set(settings["eps_grid"])
        else:
            assert of == {settings["attack"]["images"]}


def test_the_record_and_a_rounded_image_are_as_recorded():
    found = expected()
    assert apart(found) == []
    found[ATTACKED]["counts"][0] += 1
    assert apart(found) == []


def _two_images(found: Numbers) -> None:
    found[ATTACKED]["counts"][0] += 2


def _another_distance(found: Numbers) -> None:
    found[FEATURES]["distances"][0] *= 1.5


def _other_images(found: Numbers) -> None:
    found[ATTACKED]["of"][0] += 1


def _one_cell_less(found: Numbers) -> None:
    del found[ATTACKED]


def _one_image_in_many_cells(found: Numbers) -> None:
    for numbers in list(found.values())[: len(found) // 2]:
        numbers["counts"] = [count + 1 for count in numbers["counts"]]


@pytest.mark.parametrize(
    "change",
    [_two_images, _another_distance, _other_images, _one_cell_less, _one_image_in_many_cells],
)
def test_a_changed_result_is_not(change):
    found = copy.deepcopy(expected())
    change(found)
    assert len(apart(found)) == 1
