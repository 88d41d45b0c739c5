from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from wsa_proxy.lab.fates import Fate
from wsa_proxy.lab.fates import Fates
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.holders import LOOPBACK
from wsa_proxy.lab.holders import AddressEvent
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.report import Applied
from wsa_proxy.lab.report import make_document
from wsa_proxy.lab.report import make_rows
from wsa_proxy.lab.report import make_table

SERVERS = {"10.0.0.1": "a", "10.0.0.2": "b"}


def served(begin_s: float, end_s: float, server: str) -> list[Sample]:
    """A success every 10 ms."""
    ends = [begin_s + index / 100 for index in range(round((end_s - begin_s) * 100))]
    return [Sample(end - 0.004, end - 0.003, end, True, server, "") for end in ends]


def failed(*ends: float) -> list[Sample]:
    return [Sample(end - 1, end - 1, end, False, "", "no answer in 1 s") for end in ends]


# a serves until it is killed at 10, b from 13 on; a comes back at 20 and takes over at 21, both holding for 0.2 s.
SAMPLES = [
    *served(5, 10, "10.0.0.1"),
    *failed(11, 12, 12.5),
    *served(13, 21, "10.0.0.2"),
    *served(21, 25, "10.0.0.1"),
]
APPLIED = [Applied("kill a", 10.0), Applied("start a", 20.0)]
EVENTS = [
    AddressEvent(4, "a", "10.0.0.3", 2, True),
    AddressEvent(12, "a", "10.0.0.3", 2, False),
    AddressEvent(13, "b", "10.0.0.3", 2, True),
    AddressEvent(21, "a", "10.0.0.3", 2, True),
    AddressEvent(21.2, "b", "10.0.0.3", 2, False),
]


def fate(at_s: float, place: str, state: State) -> Fate:
    return Fate(at_s, place, 1, state, "10.0.0.1", 0, 0.0, "")


FATES = [
    fate(10.1, "download 1", State.CUT),
    fate(13.02, "tunnel 1", State.RESET),
    fate(15, "tunnel 2", State.SILENT),
    fate(15, "download 2", State.DONE),
    fate(15, "websocket 1", State.REFUSED),
]


def test_each_fault_has_what_followed_it_until_the_next() -> None:
    """Outage, failures, who took over and two holders belong to exactly one fault."""
    kill, start = make_rows(APPLIED, SAMPLES, EVENTS, FATES, SERVERS, until_s=25.0)
    assert (kill.fault, kill.took_over, kill.failed, kill.two_holders_s) == ("kill a", "b", 3, 0)
    assert kill.outage_ms == pytest.approx(3010)
    assert (start.fault, start.took_over, start.failed) == ("start a", "a", 0)
    assert start.outage_ms == pytest.approx(10, abs=1)
    assert start.two_holders_s == pytest.approx(0.2)


def test_connections_are_lost_by_the_fault_before_and_told_after_the_takeover() -> None:
    """What was done, never open or found out by the client itself was not told; who was told before the takeover has
    not waited for it."""
    kill, start = make_rows(APPLIED, SAMPLES, EVENTS, FATES, SERVERS, until_s=25.0)
    assert (kill.lost, kill.told) == (3, 2) and kill.told_ms == pytest.approx(20)
    assert (start.lost, start.told, start.told_ms) == (0, 0, None)
    at_once, _ = make_rows(APPLIED, SAMPLES, EVENTS, FATES[:1], SERVERS, until_s=25.0)
    assert (at_once.lost, at_once.told_ms) == (1, 0)


def test_without_a_takeover_nobody_knows_how_soon() -> None:
    """The node that leaves holds the address on loopback for a moment: that is none."""
    silent = [AddressEvent(11, "a", "10.0.0.3", LOOPBACK, True)]
    (row,) = make_rows(APPLIED[:1], SAMPLES, silent, FATES, SERVERS, until_s=25.0)
    assert (row.told, row.told_ms) == (2, None)


def test_who_went_on_serving_has_not_taken_over() -> None:
    """A fault of the backup changes nothing for the client."""
    (row,) = make_rows([Applied("cable b", 7.0)], served(5, 10, "10.0.0.1"), EVENTS, FATES, SERVERS, until_s=10.0)
    assert (row.took_over, row.closed) == ("-", True)


def test_a_service_that_did_not_come_back_is_told_as_such() -> None:
    """Nobody took over, and the outage is a lower bound."""
    (row,) = make_rows([Applied("kill a", 10.0)], SAMPLES[:500], EVENTS, FATES, SERVERS, until_s=40.0)
    assert (row.took_over, row.closed) == ("nobody", False)
    assert "> 30010" in text_of([row])


def test_the_table_fits_80_columns_and_tells_a_busy_machine() -> None:
    """Every number of a row is in it; a late start blurs the outage and is said."""
    rows = make_rows(APPLIED, SAMPLES, EVENTS, FATES, SERVERS, until_s=25.0)
    table = text_of(rows)
    for part in ("kill a", "3010", "start a", "0.200", "3, 2"):
        assert part in table
    assert "busy" not in table
    late = [*SAMPLES, Sample(15.0, 15.2, 15.3, True, "10.0.0.2", "")]
    assert "up to 200 ms late" in text_of(make_rows(APPLIED, late, EVENTS, FATES, SERVERS, until_s=25.0))


def text_of(rows: list[Any]) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(make_table(rows))
    assert max(map(len, captured.get().splitlines())) <= 80
    return captured.get()


def test_the_document_counts_from_the_start_of_the_nodes() -> None:
    """Rows, samples and holdings carry seconds since then; the raw samples are all there."""
    fates = Fates()
    for each in [*FATES, fate(16, "download 2", State.RUNS)]:
        fates.note(each)
    lab = SimpleNamespace(
        began_s=4.0,
        fates=fates,
        rows=lambda: make_rows(APPLIED, SAMPLES, EVENTS, FATES, SERVERS, until_s=25.0),
        samples=SAMPLES,
        applied=APPLIED,
        holder_log=SimpleNamespace(events=EVENTS, lost_messages=False),
        transitions=lambda: [],
        nodes={},
        virtual_ips=["10.0.0.3"],
    )
    document = make_document(lab, None)  # type: ignore[arg-type]
    assert document["came_back"] and document["problem"] is None
    assert [each["at_s"] for each in document["faults"]] == [6.0, 16.0]
    assert len(document["samples"]) == len(SAMPLES)
    assert document["samples"][0]["end_s"] == pytest.approx(1.0)
    assert [(each["node"], each["begin_s"]) for each in document["holdings"]] == [("a", 0.0), ("b", 9.0), ("a", 17.0)]
    last = document["connections"][-1]
    assert len(document["connections"]) == len(FATES) + 1
    assert (last["at_s"], last["place"], last["state"]) == (12.0, "download 2", "runs")
