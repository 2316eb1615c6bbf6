"""What is restored has the names, shapes and types that the work has, or is refused whole."""

import pytest
import torch

from rst_core.checkpoints import take

THREE = torch.tensor(3)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"weight": torch.ones(2)}, "it holds weight"),
        ({"weight": torch.ones(2), "count": THREE, "more": torch.ones(1)}, "it holds"),
        ({"weight": torch.ones(1), "count": THREE}, r"weight is torch.float32 of \(1,\)"),
        ({"weight": torch.ones(2).double(), "count": THREE}, "weight is torch.float64"),
        ({"weight": torch.ones(2).to_sparse(), "count": THREE}, "weight is"),
        ({"weight": torch.ones(2), "count": torch.tensor(3.0)}, "count is torch.float32"),
        (
            {"weight": torch.tensor([1, torch.nan]), "count": THREE},
            "weight is not finite",
        ),
    ],
)
def test_what_is_not_alike_is_refused_and_nothing_of_it_taken(found, message):
    own = {"weight": torch.zeros(2), "count": torch.tensor(0)}
    with pytest.raises(ValueError, match=message):
        take(found, own)
    assert not own["weight"].any()
    assert own["count"] == 0


def test_what_is_alike_is_taken_in_place():
    weight = torch.zeros(2, requires_grad=True)
    take({"weight": torch.ones(2)}, {"weight": weight})
    assert weight.tolist() == [1, 1]
    assert weight.requires_grad
