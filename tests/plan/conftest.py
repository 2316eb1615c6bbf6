from __future__ import annotations

from pathlib import Path

import pytest

from tests.plan.examples import project_in
from workflow.plan.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_in(tmp_path)
