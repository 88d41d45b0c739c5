"""The peers' files are what the programs themselves accept, and say what the page says of them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wsa_proxy.bench import programs
from wsa_proxy.bench.peer_files import PeerFiles
from wsa_proxy.bench.peer_files import Place
from wsa_proxy.bench.peer_files import peer_files
from wsa_proxy.bench.products import PRODUCTS
from wsa_proxy.bench.products import Kind

MISSING = programs.missing(list(Kind))
pytestmark = pytest.mark.skipif(bool(MISSING), reason=programs.installing(MISSING))

KEEPALIVED = [name for name, product in PRODUCTS.items() if product.kind is Kind.KEEPALIVED]


def files(name: str, node: str, folder: Path) -> PeerFiles:
    address = {"a": "10.0.0.1", "b": "10.0.0.2"}[node]
    place = Place(node, folder, "eth0", address, "10.0.0.3", 24, 8080, "http://10.0.0.80/")
    return peer_files(PRODUCTS[name], place)


@pytest.mark.parametrize("name", KEEPALIVED)
@pytest.mark.parametrize("node", ["a", "b"])
def test_keepalived_accepts_its_file(name: str, node: str, tmp_path: Path) -> None:
    """By its own check (--config-test): it only misses the interface, which the lab has."""
    made = files(name, node, tmp_path)
    made.write(tmp_path)
    told = subprocess.run(
        [programs.found("keepalived"), "--config-test", f"--use-file={tmp_path / 'keepalived.conf'}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    lines = [line for line in (told.stdout + told.stderr).splitlines() if "eth0" not in line and "SECURITY" not in line]
    assert not [line for line in lines if "nknown" in line or "rror" in line or "not" in line], told


def test_the_master_has_the_better_priority(tmp_path: Path) -> None:
    """254 and 253, as close to the top as keepalived lets its users go without owning the address."""
    assert "priority 254\n" in files("keepalived", "a", tmp_path).files["keepalived.conf"]
    assert "priority 253\n" in files("keepalived", "b", tmp_path).files["keepalived.conf"]
    assert "--advskew=0" in files("ucarp", "a", tmp_path).command
    assert "--advskew=1" in files("ucarp", "b", tmp_path).command


@pytest.mark.parametrize(
    ("name", "says", "says_not"),
    [
        ("keepalived", "advert_int 1\n", ("use_vmac", "track_process")),
        ("keepalived", "    fall 2\n", ("fall 1",)),
        ("keepalived, one failure", "    fall 1\n", ("fall 2",)),
        ("keepalived, virtual MAC", "    use_vmac\n    vmac_xmit_base\n", ("track_process",)),
        ("keepalived, 50 ms", "advert_int 0.05\n", ("use_vmac", "track_process")),
        ("keepalived, process tracking", 'process "mitmdump-a"\n', ("use_vmac",)),
    ],
)
def test_a_set_up_has_what_it_is_named_after(name: str, says: str, says_not: tuple[str, ...], tmp_path: Path) -> None:
    """And nothing of the others; no placeholder is left, and no hole where one was."""
    text = files(name, "a", tmp_path).files["keepalived.conf"]
    assert says in text and not [word for word in says_not if word in text]
    assert "$" not in text and "\n\n\n" not in text


def test_only_a_master_tracks_processes(tmp_path: Path) -> None:
    """The other one stands where nothing is told of them, and would believe for ever what it saw first."""
    assert "track_process" not in files("keepalived, process tracking", "b", tmp_path).files["keepalived.conf"]


def test_ucarps_scripts_add_and_remove_the_address(tmp_path: Path) -> None:
    """ucarp calls them with the interface and the address; ``ip`` here only says what it was called with."""
    made = files("ucarp", "a", tmp_path)
    made.write(tmp_path)
    ip = tmp_path / "ip"
    ip.write_text('#!/bin/sh\necho "$@"\n')
    ip.chmod(0o755)
    for way, verb in (("up", "add"), ("down", "del")):
        script = tmp_path / f"vip-{way}.sh"
        assert f"--{way}script={script}" in made.command
        said = subprocess.run(
            [script, "eth0", "10.0.0.3"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=True
        )
        assert said.stdout == f"address {verb} 10.0.0.3/24 dev eth0\n"
