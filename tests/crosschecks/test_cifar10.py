"""The attacks on a ticket and real CIFAR-10 images, where these lie beside the checkout."""

import pytest

from tests.conftest import SHARED_DATA
from tests.crosschecks.comparisons import Comparisons
from tests.crosschecks.subjects import ARCHIVE, Subject, cifar_subject

pytestmark = pytest.mark.crosscheck


class TestCifar10(Comparisons):
    natural = 0.2

    @pytest.fixture(scope="class")
    @classmethod
    def subject(cls) -> Subject:
        archive = SHARED_DATA / ARCHIVE
        if not archive.is_file():
            pytest.skip(f"no real CIFAR-10 images beside this checkout ({archive.name})")
        return cifar_subject(archive)
