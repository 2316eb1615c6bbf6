"""Cures for dependencies that do not import as they are."""

import sys

from rst_core.device import compat


def test_the_import_cures_work():
    assert compat.import_torchvision().models.resnet18
    assert compat.import_advertorch().CarliniWagnerL2Attack
    assert compat.import_autoattack().AutoAttack


def test_the_authors_own_auto_attack_is_taken_where_it_is_installed(tmp_path, monkeypatch):
    (tmp_path / "autoattack").mkdir()
    (tmp_path / "autoattack/__init__.py").touch()
    (tmp_path / "autoattack/autoattack.py").write_text("AutoAttack = 'theirs'")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        assert compat.import_autoattack().AutoAttack == "theirs"
    finally:
        for name in ("autoattack.autoattack", "autoattack"):
            sys.modules.pop(name, None)
