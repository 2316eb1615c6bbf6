import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rst_core.models.masks import (
    _smallest_by_topk,
    draw_scores,
    kept_count,
    score_shape,
    top_k_mask,
)
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Pattern, ScoreInit
from tests.conftest import narrow_classifier

shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(1, 3))
ratios = st.floats(0.001, 1.0)


@given(shapes, ratios, st.integers(0, 2**31), st.booleans(), st.booleans())
def test_a_mask_is_that_of_a_plain_stable_sort(shape, keep_ratio, seed, ties, channels_last):
    """Among ties the first by index stay, in whatever order they lie in memory."""
    scores = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if ties:
        scores = scores.round()
    if channels_last:
        scores = scores.contiguous(memory_format=torch.channels_last)
    order = scores.abs().flatten().argsort(descending=True, stable=True)
    plain = torch.zeros(scores.numel(), dtype=torch.bool)
    plain[order[: kept_count(scores.numel(), keep_ratio)]] = True
    assert torch.equal(top_k_mask(scores, keep_ratio), plain.view(shape))


@given(st.integers(1, 200), st.integers(0, 2**31), st.booleans(), st.data())
def test_a_gpus_selection_is_that_of_a_sort(count, seed, ties, data):
    values = torch.rand(count, generator=torch.Generator().manual_seed(seed))
    values = (10 * values).round() if ties else values
    rank = data.draw(st.integers(0, count - 1))
    assert _smallest_by_topk(values, rank) == values.sort().values[rank]


@given(st.integers(1, 10**7), ratios)
def test_the_count_is_the_nearest_to_the_ratio_and_never_zero(groups, keep_ratio):
    kept = kept_count(groups, keep_ratio)
    assert 1 <= kept <= groups
    assert kept == 1 or abs(kept - groups * keep_ratio) <= 0.5


@pytest.mark.parametrize("keep_ratio", [0, 1.01, -0.5])
def test_a_ratio_out_of_range_is_refused(keep_ratio):
    with pytest.raises(ValueError, match="allowed is"):
        top_k_mask(torch.rand(4), keep_ratio)


@pytest.mark.parametrize(
    ("pattern", "shape"),
    [
        (Pattern.ELEMENT, (6, 5, 3, 3)),
        (Pattern.ROW, (6, 5, 3, 1)),
        (Pattern.KERNEL, (6, 5, 1, 1)),
        (Pattern.CHANNEL, (6, 1, 1, 1)),
    ],
)
def test_a_pattern_is_the_shape_of_the_scores_and_the_classifier_has_no_structure(pattern, shape):
    assert score_shape(torch.Size([6, 5, 3, 3]), pattern) == shape
    assert score_shape(torch.Size([10, 6]), pattern) == (10, 6)


@pytest.mark.parametrize(
    ("pattern", "low", "high"),
    # A row's score stands for 3 weights, a kernel's for 9: sqrt(3) and 3 times the scale. A
    # channel's is normal: mean sqrt(2/pi) against 1/2 of 1/sqrt(9 x 64) and 1/sqrt(9 x 512).
    [(Pattern.ROW, 3**0.5, 3**0.5), (Pattern.KERNEL, 3, 3), (Pattern.CHANNEL, 38.3, 108.3)],
)
def test_the_two_score_inits_differ_by_the_ratios_of_the_released_code(pattern, low, high):
    for channels, ratio in ((64, low), (512, high)):
        weight = torch.empty(1024, channels, 3, 3)
        ours, theirs = (
            draw_scores(weight, "a", pattern, 0, score_init).abs().mean()
            for score_init in (ScoreInit.WEIGHT_FAN, ScoreInit.RELEASED)
        )
        assert theirs / ours == pytest.approx(
            ratio, rel=0.1 if pattern is Pattern.CHANNEL else 1e-4
        )


@pytest.mark.parametrize("score_init", ScoreInit)
def test_element_scores_and_the_classifiers_have_one_init(score_init):
    for shape, pattern in (((8, 4, 3, 3), Pattern.ELEMENT), ((10, 8), Pattern.CHANNEL)):
        weight = torch.empty(shape)
        expected = draw_scores(weight, "a", Pattern.ELEMENT, 0)
        assert torch.equal(draw_scores(weight, "a", pattern, 0, score_init), expected)


def test_scores_are_kaiming_uniform_and_seeded_by_layer():
    weight = torch.empty(64, 32, 3, 3)
    scores = draw_scores(weight, "a", Pattern.ELEMENT, 0)
    bound = 1 / (32 * 9) ** 0.5
    assert scores.abs().max() <= bound
    assert scores.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
    assert torch.equal(scores, draw_scores(weight, "a", Pattern.ELEMENT, 0))
    assert not torch.equal(scores, draw_scores(weight, "b", Pattern.ELEMENT, 0))
    assert not torch.equal(scores, draw_scores(weight, "a", Pattern.ELEMENT, 1))


@pytest.mark.parametrize("pattern", list(Pattern))
def test_scores_lie_in_memory_as_their_weights_do(pattern):
    """A product of two formats takes twice as long; the draws do not depend on the format."""
    trainee = MaskTrainee(narrow_classifier(), 0.3, pattern, seed=0)
    for name, weight in trainee.frozen.items():
        scores, masked = trainee.variables[name], trainee.weights()[name]
        if weight.dim() == 4:
            for tensor in (scores, masked):
                assert tensor.is_contiguous(memory_format=torch.channels_last), name
        assert torch.equal(scores.detach(), draw_scores(weight, name, pattern, 0))


def test_half_a_group_more_is_kept():
    assert [kept_count(groups, 0.5) for groups in (1, 3, 5, 25)] == [1, 2, 3, 13]
