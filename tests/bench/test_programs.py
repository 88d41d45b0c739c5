"""Where the peers' programs are, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsa_proxy.bench import programs
from wsa_proxy.bench.products import Kind


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one in which programs are looked for."""
    monkeypatch.setattr(programs, "PATHS", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, prints: str = "") -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{prints}\n")
    program.chmod(0o755)


def test_what_is_missing_is_named_with_its_package(folder: Path) -> None:
    """For all products at once; nothing is said twice."""
    put(folder, "keepalived")
    missing = programs.missing(list(Kind))
    assert missing == ["curl", "ucarp", "ip"]
    assert programs.installing([*missing, "nft"]).endswith(" curl ucarp iproute2 nftables")
    with pytest.raises(FileNotFoundError, match=r"ucarp is missing; install it with: apt-get install .* ucarp"):
        programs.found("ucarp")


def test_nothing_is_missing_where_everything_is(folder: Path) -> None:
    """And ours needs no peer."""
    put(folder, "nft")
    assert programs.missing([Kind.OURS]) == []
    assert programs.found("nft") == str(folder / "nft")


@pytest.mark.parametrize(
    ("prints", "version"),
    [
        ("echo 'Keepalived v2.2.7 (01/16,2022)' >&2", "2.2.7"),
        ("echo \"unrecognized option '--version'\" >&2; echo 'ucarp 1.5.2 - Jan  3 2023'; exit 1", "1.5.2"),
        ("exit 1", "unknown"),
    ],
)
def test_the_version_is_what_the_program_says(folder: Path, prints: str, version: str) -> None:
    """On whichever output, whatever its exit status; the words are those of the Debian packages."""
    put(folder, "peer", prints)
    assert programs.version("peer") == version


def test_a_program_that_is_not_there_has_no_version(folder: Path) -> None:
    """It is not looked for anywhere else."""
    assert programs.version("keepalived") == "not installed"
