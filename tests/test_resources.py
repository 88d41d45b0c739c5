from __future__ import annotations

from pathlib import Path

import pytest

from wsa_proxy import resources


def test_a_checkout_has_its_files_beside_the_package() -> None:
    """The addon script and the example configurations are found."""
    for relative in ("addons/carp_failover.py", "configs/node-a.yaml", "configs/node-b.yaml"):
        assert resources.find(relative).is_file()


def test_a_wheel_has_them_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a checkout they are in _data; with both, the checkout's is taken."""
    package = tmp_path / "wsa_proxy"
    inside = package / "_data" / "configs" / "x.yaml"
    inside.parent.mkdir(parents=True)
    inside.touch()
    monkeypatch.setattr(resources, "PACKAGE", package)
    assert resources.find("configs/x.yaml") == inside
    beside = tmp_path / "configs" / "x.yaml"
    beside.parent.mkdir()
    beside.touch()
    assert resources.find("configs/x.yaml") == beside


def test_a_missing_file_names_both_places() -> None:
    """An incomplete installation says where it looked."""
    with pytest.raises(FileNotFoundError, match=r"neither at .*configs/none nor at .*_data/configs/none"):
        resources.find("configs/none")
