"""How far noise moves features."""

import pytest
import torch
from torch import nn

from rst_core.data.images import Images
from rst_core.identity import FeatureDistance, Untrained
from rst_core.job.cells import make
from rst_core.job.recipe import FeaturesRecipe
from rst_core.measures.features import estimate_batch_norm, feature_distances, last_convolution
from rst_core.records import read_cell
from tests.conftest import NARROW, NETWORK, manifest, narrow_classifier


def test_feature_distance_is_zero_without_noise_and_grows_with_it(tickets, few_digits):
    found = feature_distances(tickets[0], few_digits.test, (0.0, 2.0, 8.0, 32.0), seed=0)
    means = [found[eps].mean().item() for eps in (0.0, 2.0, 8.0, 32.0)]
    assert means[0] == 0
    assert means == sorted(means)
    assert means[-1] > 2 * means[1]
    again = feature_distances(tickets[0], few_digits.test, (8.0,), seed=0)
    assert torch.equal(found[8.0], again[8.0])
    assert not tickets[0].network._forward_hooks
    assert not last_convolution(tickets[0])._forward_hooks


def test_the_noise_is_uniform_on_both_sides_and_moves_features_by_its_share():
    """Of features that are the image itself, it is |noise| / |image|; no walls of the box [5.2]."""
    images = Images(torch.full((300, 3, 6, 6), 2, dtype=torch.uint8), torch.zeros(300).long())
    model = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))
    model[0].weight.data = torch.eye(3)[:, :, None, None]
    seen = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    found = feature_distances(model, images, (4.0, 16.0), seed=3, batch_size=150)
    for eps, at in ((4.0, 1), (16.0, 2)):
        noise = torch.cat([seen[at] - seen[0], seen[at + 3] - seen[3]])
        ranks = torch.linspace(0, 1, noise.numel())
        shares = (noise.flatten().sort().values / (eps / 255) + 1) / 2
        assert (shares - ranks).abs().max() < 0.02
        expected = noise.flatten(1).norm(dim=1) / (2 / 255 * 108**0.5)
        assert torch.allclose(found[eps], expected, rtol=1e-4)
    first, second = seen[1] - seen[0], seen[4] - seen[3]
    assert (first - second).abs().mean() > 1 / 255, "every batch has noise of its own"
    again = feature_distances(model, images, (4.0,), seed=4, batch_size=150)
    assert not torch.equal(again[4.0], found[4.0])


def test_an_untrained_networks_norms_are_of_the_training_images(tmp_path, digits):
    """Its cell has the distances of a network whose statistics are averages over their batches."""
    cell = FeatureDistance(Untrained(NETWORK), None)
    make(FeaturesRecipe(tmp_path, manifest(), cell, NARROW, (8.0,)))
    (found,) = read_cell(tmp_path / cell.path)["results"]
    model = narrow_classifier()
    estimate_batch_norm(model, digits.train)
    (distance,) = feature_distances(model, digits.test, (8.0,), seed=0).values()
    assert found["mean"] == pytest.approx(distance.mean().item(), rel=1e-5)
    assert found["deviation"] == pytest.approx(distance.std().item(), rel=1e-4)
    normalise = model.network.blocks[0].bn1
    shown = [
        model.network.conv1((x - 0.3) / 0.37) for _, x, _ in digits.train.evaluation_batches(500)
    ]
    means = torch.stack([x.mean((0, 2, 3)) for x in shown])
    assert torch.allclose(normalise.running_mean, means.mean(0), atol=1e-5)


def test_the_last_convolution_is_no_shortcut(tickets):
    names = {module: name for name, module in tickets[0].named_modules()}
    assert names[last_convolution(tickets[0])] == "network.blocks.7.conv2"
