"""Seeds: the same for the same key on every machine, and another for every other key."""

import torch

from rst_core.device.seeding import derived_seed, generator


def test_a_seed_is_of_its_key_alone_and_of_where_its_parts_end():
    keys = [("order", 1, 23), ("order", 12, 3), ("order", 123), ("order1", 23), ("order", 23, 1)]
    assert len({derived_seed(*key) for key in keys}) == len(keys)
    assert derived_seed("order", 0, 1) == 6998642760411335394
    drawn = [torch.rand(3, generator=generator("order", 0, epoch)) for epoch in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
