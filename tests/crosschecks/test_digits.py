"""The attacks on a model trained on digits."""

import pytest

from tests.crosschecks.comparisons import Comparisons
from tests.crosschecks.subjects import Subject, digits_subject

pytestmark = pytest.mark.crosscheck


class TestDigits(Comparisons):
    natural = 0.8

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Subject:
        return digits_subject()
