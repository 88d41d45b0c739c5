"""Each way to change the configuration, over HTTP: what it answers when it is done, and when it is not."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin import world as page
from tests.admin.node import SECOND
from tests.admin.node import World
from tests.admin.world import document_of
from wsa_proxy.admin import attempts
from wsa_proxy.admin.editing_api import routes
from wsa_proxy.runtime.asker import asker

type Answer = tuple[int, dict[str, Any]]


class Client:
    """An operator who has logged in, at the page of one node."""

    def __init__(self, operator: page.Client, node: World) -> None:
        self.operator = operator
        self.node = node

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        answer = await self.operator(f"/api/configuration{path}", method, body)
        return answer.code, document_of(answer)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    folders = [tmp_path / name for name in ("node", "page")]
    for folder in folders:
        folder.mkdir()
    node = World(folders[0])
    node.editing._asker = asker.get
    async with page.serving(folders[1], routes=routes(node.editing)) as world:
        yield Client(await world.client.logged_in(), node)


async def test_a_group_is_added_edited_deleted_and_committed(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    """Each submit answers the whole document; the log says who, and no value: one of them is a secret."""
    caplog.set_level(logging.INFO)
    assert (await client.ask("GET", ""))[1]["groups"][0]["id"] == 1
    status, document = await client.ask("POST", "/groups", SECOND)
    assert status == 200 and [group["id"] for group in document["groups"]] == [1, 2]
    assert document["pending"]["by"] == "operator (page, 127.0.0.1)"
    _, document = await client.ask("PUT", "/groups/2", {"priority": "9"})
    assert document["groups"][1]["priority"] == 9
    _, document = await client.ask("DELETE", "/groups/1")
    assert [group["id"] for group in document["groups"]] == [2]
    _, document = await client.ask("PUT", "/global", {"failover_handling": "non-preemptive"})
    assert len(document["pending"]["changes"]) == 3
    assert await client.ask("POST", "/commit") == (200, {"changes": ["group 2 begins"], "warnings": ["a word"]})
    assert "failover_handling: non-preemptive" in client.node.taken[0]
    assert "POST /api/configuration/groups with advertisement_interval, description, hostname, id," in caplog.text
    assert "PUT /api/configuration/groups/2 with priority: 200" in caplog.text
    assert "POST /api/configuration/commit group 2 begins: 200" in caplog.text
    assert "another-secret!" not in caplog.text


async def test_abandon_answers_what_is_left(client: Client) -> None:
    """The file."""
    await client.ask("POST", "/groups", SECOND)
    status, document = await client.ask("POST", "/abandon")
    assert status == 200 and len(document["groups"]) == 1 and document["pending"]["diff"] == ""


async def test_whoever_decides_can_say_what_he_has_seen(client: Client) -> None:
    """And is refused when it is something else by now, or when he says it in no way that is understood."""
    await client.ask("POST", "/groups", SECOND)
    bodies: tuple[Any, ...] = ([], {"revision": 1}, {"revisoin": "x"})
    for body in bodies:
        for path in ("/commit", "/abandon"):
            assert (await client.ask("POST", path, body))[0] == 422
    for path in ("/commit", "/abandon"):
        assert (await client.ask("POST", path, {"revision": "another"}))[0] == 409
    assert (await client.ask("DELETE", "/groups/1?revision=another"))[0] == 409
    _, document = await client.ask("GET", "")
    status, document = await client.ask("DELETE", f"/groups/1?revision={document['revision']}")
    assert status == 200 and [group["id"] for group in document["groups"]] == [2]
    assert (await client.ask("POST", "/commit", {"revision": document["revision"]}))[0] == 200


async def test_mistakes_are_answered_by_field(client: Client) -> None:
    """422, and in one text for those who know no fields."""
    errors = {
        "id": "x: must be a whole number from 1 to 255",
        "priority": "missing; it must be a whole number from 1 to 255",
    }
    text = "; ".join(f"{field}: {error}" for field, error in errors.items())
    form = {**SECOND, "id": "x", "priority": ""}
    assert await client.ask("POST", "/groups", form) == (422, {"error": text, "errors": errors})
    assert (await client.ask("PUT", "/global", {}))[0] == 422


async def test_refusals_say_why(client: Client) -> None:
    """404 for a group that is not there, 409 for the rest, with what the node has said."""
    for group in ("9", "nine", "1234567890", "%C2%B2"):
        for method in ("PUT", "DELETE"):
            status, document = await client.ask(method, f"/groups/{group}", {} if method == "PUT" else None)
            assert status == 404 and document["error"].startswith("there is no group "), document
    assert await client.ask("POST", "/commit") == (409, {"error": "there are no pending changes"})
    assert await client.ask("POST", "/groups", ["no form"]) == (
        422,
        {"error": "the body must be an object with the form's fields"},
    )
    await client.ask("PUT", "/groups/1", {"priority": 9})
    client.node.report = {"changes": [], "warnings": [], "errors": ["one", "two"], "refused": True}
    assert await client.ask("POST", "/commit") == (
        409,
        {"error": "the node has refused the file; the old one is back, and the changes are still pending: one; two"},
    )


async def test_who_is_not_let_in_changes_nothing(client: Client) -> None:
    """Nor does he see anything; no route of this table is open."""
    stranger = page.Client(client.operator.port)
    for route in routes(client.node.editing):
        for method in route.operations:
            answer = await stranger(route.path.replace("{group}", "1"), method, None if method == "GET" else {})
            assert answer.code == 401, (route.path, method)
    assert (await client.ask("GET", ""))[1]["pending"]["changes"] == []


async def test_every_method_that_is_answered_is_described(client: Client) -> None:
    """And the other way round."""
    for route in routes(client.node.editing):
        assert set(route.handler.methods()) == set(route.operations), route.path


async def test_what_is_described_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever schemathesis makes up. But that a form fits its description does not make it right: an address must be
    in a subnet of this host."""
    monkeypatch.setattr(attempts, "AT_ONCE", 1e9)  # it tries wrong passwords, too
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    for name in ("node", "page"):
        (tmp_path / name).mkdir()
    node = World(tmp_path / "node")
    async with page.serving(tmp_path / "page", routes=routes(node.editing)) as world:
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "schemathesis", "run", "--generation-deterministic", "--max-examples", "4",
            "--phases", "fuzzing", "--exclude-checks", "positive_data_acceptance", "--no-color", "--warnings", "off",
            "--suppress-health-check", "all", "--include-path-regex", "^/api/configuration",
            "-H", f"Authorization: Bearer {page.PASSWORD}", f"http://127.0.0.1:{world.port}/api/openapi.json",
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
    assert process.returncode == 0 and "7 selected" in output.decode(), output.decode()
