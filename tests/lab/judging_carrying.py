"""What the tests make of the fates of open connections."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.lab.judging import Seen
from tests.lab.judging import noise_ms

PAUSE_S_MAX = 1.0  # a busy machine; the origin sends twenty times a second
SLOW_S_MAX = 1.0
RETRIED_SHARE_MAX = 0.02
TOLD_S_MAX = 1.0


def by_state(fates: list[dict[str, Any]], kind: str = "") -> Counter[str]:
    return Counter(each["state"] for each in fates if each["place"].startswith(kind))


SWITCHED_S_MAX = 0.5
"""Two holders in a switch: a busy machine hears the successor late; usual are 10 ms."""


def check_carried(seen: Seen, switches: int) -> None:
    """Nothing is lost in all of it: each download has every byte and comes as steadily as it is sent, each tunnel and
    WebSocket lives to its end, no request fails. Afterwards each kernel is as if nothing had been."""
    found = seen["carried"]
    assert by_state(found["fates"]).keys() == {"done"}, [each for each in found["fates"] if each["state"] != "done"]
    for kind, count in (("download", 10), ("tunnel", 1), ("websocket", 1), ("waiting", 1)):
        assert by_state(found["fates"], kind).total() >= count, kind
    pause_s = max(each["pause_s"] for each in found["fates"])
    assert pause_s < PAUSE_S_MAX, pause_s
    assert found["bad"] == [], found["bad"]
    assert found["slowest_s"] < SLOW_S_MAX, found["slowest_s"]
    assert found["retried"] <= found["requests"] * RETRIED_SHARE_MAX, found["retried"]
    assert len(found["switches"]) == switches, found["switches"]
    for each in found["switches"]:
        old, new = each["carry"][each["old"]], each["carry"][each["master"]]
        assert each["master"] != each["old"] and old["possible"] and new["possible"], each
        # Of two nodes the one that has just left may have had nothing: what is open is where it was begun.
        assert [steered["node"] for steered in new["steers"]] == ([each["old"]] if old["drains"] else []), each
    first = found["switches"][0]
    assert first["carry"][first["old"]]["drains"]["connections"] >= 5, first
    check_nothing_left(found["left"])


def check_nothing_left(left: dict[str, Any]) -> None:
    """No node has a table, and one alone has the virtual IP, where it answers for it."""
    assert [each["tables"] for each in left.values()] == [[]] * len(left), left
    holding = [interface for each in left.values() for interface in each["holding"]]
    assert len(holding) == 1 and holding != ["lo"], left


def check_told(seen: Seen, count: int) -> None:
    """Each client that only waited has its reset within a second of the takeover."""
    found = seen["lost"]
    others = [each for each in found["fates"] if each["state"] != "reset"]
    assert by_state(found["fates"]) == {"reset": count}, others
    late_s = noise_ms(seen["faults"][-1]) / 1000
    last_s = max(each["at_s"] for each in found["fates"])
    assert last_s < TOLD_S_MAX + late_s, last_s
    told = found["carry"]["told"]
    assert told["node"] == found["old"] and told["clients"] >= count, told
