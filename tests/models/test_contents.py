"""What model files store."""

import torch
from hypothesis import given
from hypothesis.extra import numpy as hnp

from rst_core.models.contents import pack_masks, unpack_masks


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=1, max_dims=4, max_side=7)))
def test_masks_survive_packing(mask):
    masks = {"a": torch.from_numpy(mask), "b": torch.from_numpy(~mask)}
    unpacked = unpack_masks(pack_masks(masks))
    assert all(torch.equal(unpacked[name], masks[name]) for name in masks)
