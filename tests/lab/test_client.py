from __future__ import annotations

import asyncio
import json
import time

import pytest

from wsa_proxy.lab import client
from wsa_proxy.lab.client import Plan
from wsa_proxy.lab.client import read_answer
from wsa_proxy.lab.outage import Sample

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Asked-By: 10.0.0.2\r\n\r\nbody"


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_an_answer_is_complete_with_its_last_byte_only(end: int) -> None:
    """A connection that is cut within an answer is no success."""
    assert read_answer(ANSWER[:end]) is None


def test_a_complete_answer_names_the_server() -> None:
    """That is how the lab knows which node served."""
    assert read_answer(ANSWER) == ("10.0.0.2", "")


@pytest.mark.parametrize(
    ("received", "error"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "answer HTTP/1.1 502 Bad Gateway"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer does not come from the origin"),
        (b"nonsense\r\n\r\n", "answer nonsense"),
    ],
)
def test_any_other_answer_is_a_failure(received: bytes, error: str) -> None:
    """A proxy's own error page is not the service."""
    assert read_answer(received) == ("", error)


async def serve_and_collect(
    monkeypatch: pytest.MonkeyPatch, answer: bytes | None, plan_of: dict[str, float], count: int
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
