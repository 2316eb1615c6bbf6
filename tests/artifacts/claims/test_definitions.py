"""The file of claims: what it may say, and that it says it of what exists."""

import pytest

from tests.artifacts.claims.one_claim import made_up, verdict
from workflow.artifacts.claims.page import FILES, NAMES
from workflow.artifacts.registry import FIGURES, TABLES

COMPARISON = {"of": {"model": "rst", "keep_ratio": 0.2}, "is": "decent"}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (COMPARISON | {"tolerence": 1}, "Extra inputs are not permitted"),
        (COMPARISON | {"is": "dezent"}, "'dezent' is no word; allowed is better, not_worse"),
        (COMPARISON | {"by": 1.0}, "exactly one of is, by and between"),
        ({"of": COMPARISON["of"]}, "exactly one of is, by and between"),
        (COMPARISON | {"of": {"model": "rst", "keep": 0.2}}, "Extra inputs are not permitted"),
        (COMPARISON | {"of": {"model": "rsst"}}, "dense_natural"),
        (COMPARISON | {"of": {"model": "dense_natural", "keep_ratio": 0.2}}, "dense_natural has"),
        # Several tests under a quantifier say nothing until they are joined.
        ({"mostly": {"network": ["resnet18"]}, "test": [COMPARISON, COMPARISON]}, "exactly one of"),
        ({"mostly": {"network": ["resnet18"]}, "tests": [COMPARISON]}, "exactly one of"),
        ({"mostly": {}, "some": {}, "test": COMPARISON}, "exactly one of of, all, any, every"),
        ({"all": [COMPARISON], "any": [COMPARISON, COMPARISON]}, "at least 2|exactly one"),
        ({"every": {"networks": ["resnet18"]}, "test": COMPARISON}, "Extra inputs"),
        (
            {"consistently": {}, "test": {"all": [COMPARISON, COMPARISON]}},
            "consistently is about one comparison",
        ),
        # Comparisons that cannot be made.
        ({"of": {"model": "rst"}, "is": "better"}, "needs a keep_ratio"),
        ({"of": {}, "is": "better"}, "names no model"),
        (
            {"of": {"model": "dense_natural"}, "minus": {"model": "dense_natural"}, "is": "better"},
            "same",
        ),
        ({"consistently": {"keep_ratio": [0.1]}, "test": COMPARISON}, "an effect above 0"),
    ],
)
def test_a_slip_in_the_file_is_an_error(papers_world, test, message):
    with pytest.raises(ValueError, match=message):
        verdict("made_up", papers_world, made_up(test))


def test_every_word_is_used_and_has_a_reason(claims):
    used = {c.word for claim in claims.claims for c in claim.test.comparisons()}
    assert used - {None} == claims.words.keys()
    assert all(len(word.reason) > 10 for word in claims.words.values())


def test_words_of_a_difference_leave_no_room_for_none(claims):
    for name, word in claims.words.items():
        assert (word.at_least <= 0 <= word.at_most) != ("better" in name)


def test_every_statement_names_an_artifact_that_exists(claims):
    made = {f"figures/{name}.png" for name in FIGURES} | {f"tables/{name}.png" for name in TABLES}
    assert set(FILES.values()) <= made
    for claim in claims.claims:
        named = NAMES.findall(claim.rests_on)
        assert named or claim.rests_on.startswith("section"), claim.id


def test_every_quotation_is_new_or_says_so(claims):
    titles = [claim.title for claim in claims.claims]
    assert len(set(titles)) == len(titles)


def test_a_title_that_says_about_or_near_is_tested_on_both_sides(claims):
    for claim in claims.claims:
        if {"about", "near"} & set(claim.title.split()):
            assert {c.word for c in claim.test.comparisons()} == {"comparable"}, claim.id
