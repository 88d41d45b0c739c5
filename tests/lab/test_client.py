from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

import pytest

from wsa_proxy.lab import client
from wsa_proxy.lab.client import Plan
from wsa_proxy.lab.outage import Sample

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Asked-By: 10.0.0.2\r\n\r\nbody"


async def serve_and_collect(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | None, plan_of: dict[str, Any], count: int
) -> list[Sample]:
    """Run the client against a server of one fixed answer (None: none at all) until ``count`` samples are there."""
    samples: list[Sample] = []
    enough = asyncio.Event()

    def tell(sample: Sample) -> None:
        samples.append(sample)
        if len(samples) >= count:
            enough.set()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is not None:
            writer.write(answer)
        await reader.read()
        writer.close()

    monkeypatch.setattr(client, "tell", tell)
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    async with asyncio.timeout(10):
        port = server.sockets[0].getsockname()[1]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(client.run(Plan("127.0.0.1", port, "http://10.0.0.80/", **plan_of)))
            await enough.wait()
            running.cancel()
    server.close()
    return samples


class KeepingServer:
    """Answers one request after the other on each connection; ``closes_after`` so many it closes at the next one."""

    def __init__(self, closes_after: int = 1000) -> None:
        self.asked: list[int] = []
        """How many requests came over each connection."""
        self._closes_after = closes_after

    async def collect(self, monkeypatch: pytest.MonkeyPatch, count: int, *, kept: bool) -> list[Sample]:
        """Run the client, one request after the other, until so many samples are there."""
        samples: list[Sample] = []
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        asking = client.Asking(Plan(host, port, "http://10.0.0.80/", kept=kept))
        monkeypatch.setattr(client, "tell", samples.append)
        async with asyncio.timeout(10):
            for _ in range(count):
                await asking.one(0.0)
        server.close()
        return samples

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.asked)
        self.asked.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):  # the client has done with it
            while (head := await reader.readuntil(b"\r\n\r\n")) and self.asked[number] < self._closes_after:
                self.asked[number] += 1
                writer.write(ANSWER)
                if b"Connection: close" in head:
                    break
        writer.close()


async def test_requests_start_on_the_schedule_and_name_who_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbours in the schedule are one interval apart, whenever they were really started."""
    samples = await serve_and_collect(monkeypatch, ANSWER, {"interval_s": 0.02}, 10)
    assert {(each.ok, each.server, each.error) for each in samples} == {(True, "10.0.0.2", "")}
    due = sorted(each.due_s for each in samples)
    assert due[5] - due[0] == pytest.approx(5 * 0.02)
    assert all(each.due_s <= each.start_s <= each.end_s for each in samples)


async def test_a_request_without_answer_fails_at_its_limit_and_delays_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests overlap: ten of them that hang for 0.3 s each are told in far less than 3 s."""
    began_s = time.monotonic()
    samples = await serve_and_collect(monkeypatch, None, {"interval_s": 0.01, "limit_s": 0.3}, 10)
    assert time.monotonic() - began_s < 2.5
    assert {each.error for each in samples} == {"no answer in 0.3 s"}
    assert all(each.end_s - each.start_s >= 0.3 for each in samples)


@pytest.mark.parametrize(("kept", "connections"), [(False, 20), (True, 11)])
async def test_every_other_request_goes_over_a_kept_connection(
    monkeypatch: pytest.MonkeyPatch, kept: bool, connections: int
) -> None:
    """When the other end keeps it, too; and the others on their own, which they say."""
    server = KeepingServer()
    samples = await server.collect(monkeypatch, 20, kept=kept)
    assert {(each.ok, each.error, each.retried) for each in samples} == {(True, "", False)}
    assert len(server.asked) == connections
    assert max(server.asked) == (10 if kept else 1)


async def test_a_kept_connection_that_is_closed_under_a_request_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again on a new one, as browsers do, and that is told."""
    server = KeepingServer(closes_after=2)
    samples = await server.collect(monkeypatch, 20, kept=True)
    assert {(each.ok, each.error) for each in samples} == {(True, "")}
    assert 2 <= sum(each.retried for each in samples) <= 5


async def test_a_connection_closed_without_answer_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A half answer is told as such, not waited for."""
    samples = await serve_and_collect(monkeypatch, b"HTTP/1.1 503 no\r\n\r\n", {"interval_s": 0.02}, 3)
    assert {each.error for each in samples} == {"answer HTTP/1.1 503 no"}


def test_a_sample_is_one_line_that_the_lab_reads_back(capsys: pytest.CaptureFixture[str]) -> None:
    """The pipe carries the fields of Sample in their order."""
    sample = Sample(1.0, 1.5, 2.0, True, "10.0.0.1", "")
    client.tell(sample)
    assert Sample(*json.loads(capsys.readouterr().out)) == sample


def test_what_can_be_under_way_is_bounded() -> None:
    """Little more than the requests of one time limit."""
    assert 100 <= Plan("10.0.0.3", 8080, "http://10.0.0.80/").in_flight_max <= 200
