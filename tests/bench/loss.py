"""A LAN that loses frames: of all that the bridge carries from or to a node, the given part is dropped, by chance."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable

from wsa_proxy.lab.faults import find_nft

TABLE = "wsa_proxy_soak"
PARTS = 10_000
"""Loss is told to a hundredth of a percent."""
NFT_S_MAX = 30.0


def rules(nodes: Iterable[str], percent: float) -> str:
    """For the bridge's own network. The dice are thrown once for a frame from one node to another. What they did is
    counted: the loss that is told is the one that was measured."""
    names = ", ".join(f'"{name}"' for name in nodes)
    part = round(percent * PARTS / 100)
    return (
        f"add table bridge {TABLE}\n"
        f"add counter bridge {TABLE} passed\n"
        f"add counter bridge {TABLE} lost\n"
        f"add chain bridge {TABLE} dice\n"
        f'add rule bridge {TABLE} dice numgen random mod {PARTS} < {part} counter name "lost" drop\n'
        f'add rule bridge {TABLE} dice counter name "passed" accept\n'
        f"add chain bridge {TABLE} frames {{ type filter hook forward priority 0; }}\n"
        f"add rule bridge {TABLE} frames iifname {{ {names} }} jump dice\n"
        f"add rule bridge {TABLE} frames oifname {{ {names} }} jump dice\n"
    )


def begin(nodes: Iterable[str], percent: float) -> None:
    """From now on. Raises NodeFault without nft, CalledProcessError when it refuses the rules."""
    _nft(["-f", "-"], rules(nodes, percent))


def counted() -> dict[str, int]:
    """Frames ``passed`` and ``lost`` since the beginning."""
    return read(_nft(["-j", "list", "counters", "table", "bridge", TABLE]))


def read(listing: str) -> dict[str, int]:
    """nft's JSON."""
    counters = [each["counter"] for each in json.loads(listing)["nftables"] if "counter" in each]
    return {each["name"]: each["packets"] for each in counters}


def _nft(arguments: list[str], rules_text: str = "") -> str:
    command = [find_nft(), *arguments]
    return subprocess.run(
        command, input=rules_text, stdout=subprocess.PIPE, text=True, check=True, timeout=NFT_S_MAX
    ).stdout
