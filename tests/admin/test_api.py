"""Documents, metrics and verbs over HTTP."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.admin.world import EVENT
from tests.admin.world import World
from tests.admin.world import document_of
from wsa_proxy.admin.api import told_of
from wsa_proxy.runtime.tasks import create_task


async def test_the_documents(world: World) -> None:
    """The status, the session, the metrics."""
    script = world.client.with_bearer()
    assert document_of(await script("/api/status")) == world.node.document
    assert document_of(await script("/api/session")) == {"csrf": "", "node": "a"}
    metrics = await script("/metrics")
    assert metrics.body == b"node a, made by a thread\n"
    assert metrics.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_reading_verbs_take_their_arguments_from_the_query(world: World) -> None:
    """All that they have, none that they do not know."""
    script = world.client.with_bearer()
    answer = document_of(await script("/api/history?group=7&before=9"))
    assert answer == {"history": [EVENT | {"asked": ["7", "100", "9"]}]}
    assert document_of(await script("/api/why")) == {"why": []}
    wrong = await script("/api/history?grup=7")
    assert wrong.code == 422 and document_of(wrong)["error"] == "history takes the arguments: group, limit, before"
    refused = await script("/api/history?limit=many")
    assert refused.code == 409 and document_of(refused) == {"error": "limit is no number"}


@pytest.mark.parametrize(
    ("verb", "arguments", "code", "answer", "called"),
    [
        ("demote", {"reason": "a b"}, 200, {"changes": ["demote a b"]}, ("demote", "a b")),
        ("switch", {"group": "1"}, 200, {"changes": ["switch 1 "]}, ("switch", "1", "")),
        ("restore", None, 200, {"changes": ["restore"]}, ("restore",)),
        ("restore", {}, 200, {"changes": ["restore"]}, ("restore",)),
        ("demote", {"reason": ""}, 409, {"error": "a reason is needed"}, None),
        ("switch", {"group": "9"}, 409, {"error": "there is no group 9"}, None),
        ("demote", {}, 422, {"error": "demote takes the arguments: reason"}, None),
        ("demote", None, 422, {"error": "demote takes the arguments: reason"}, None),
        ("demote", ["reason"], 422, {"error": "demote takes the arguments: reason"}, None),
        ("demote", {"reason": 7}, 422, {"error": "demote: each argument must be text"}, None),
        ("demote", '{"reason": ', 422, {"error": "the body is no JSON"}, None),
        ("demote", "[" * 60_000, 422, {"error": "the body is no JSON"}, None),
    ],
)
async def test_an_action_is_the_verb_of_the_control_socket(
    world: World, verb: str, arguments: Any, code: int, answer: dict[str, Any], called: tuple[str, ...] | None
) -> None:
    """The same function with the same checks; it hears who has asked."""
    json_text = {"Content-Type": "application/json; charset=utf-8"}
    found = await world.client.with_bearer()(f"/api/actions/{verb}", "POST", arguments, json_text)
    assert (found.code, document_of(found)) == (code, answer)
    assert world.node.called == ([(*called, "operator (page, 127.0.0.1)")] if called else [])


async def test_what_is_not_there_is_named(world: World) -> None:
    """With what is there."""
    answer = await world.client.with_bearer()("/api/actions/explode", "POST", {})
    text = "there is no explode; there are demote, history, restore, status, switch, why"
    assert answer.code == 404 and document_of(answer) == {"error": text}


async def test_a_form_is_no_json(world: World) -> None:
    """Another site's form could send one, and nobody means it as an order."""
    answer = await world.client.with_bearer()("/api/actions/demote", "POST", "reason=a", {"Content-Type": "text/plain"})
    assert answer.code == 415 and world.node.called == []


async def test_an_order_leaves_a_line_in_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Who, what, and what came of it: of those that were carried out and of those that were not. One line each."""
    caplog.set_level(logging.INFO)
    browser = await world.client.logged_in()
    caplog.clear()
    await browser("/api/actions/demote", "POST", {"reason": 'a "new" disk'})
    await world.client.with_bearer()("/api/actions/switch", "POST", {"group": "9"})
    await world.client.with_bearer()("/api/actions/explode", "POST", {})
    await world.client("/api/actions/demote", "POST", {"reason": "nobody"})
    await world.client.with_bearer()("/api/status")
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("wsa_proxy")]
    assert len(lines) == 3, lines
    session, switch, unknown = lines
    assert session.startswith("page: 127.0.0.1 (session ")
    assert session.endswith(r') POST /api/actions/demote reason="a \"new\" disk": 200')
    assert switch == 'page: 127.0.0.1 (bearer) POST /api/actions/switch group="9" there is no group 9: 409'
    assert unknown.startswith("page: 127.0.0.1 (bearer) POST /api/actions/explode there is no explode")


async def test_an_order_that_is_cut_off_is_answered(world: World) -> None:
    """At the process's end, when the loop cancels what is under way; it is no mistake of ours."""
    began = asyncio.Event()

    async def switch(group: str, to: str = "") -> dict[str, object]:
        began.set()
        await asyncio.Event().wait()
        return {}

    world.node.switch = switch  # type: ignore[method-assign]
    script = world.client.with_bearer()
    waiting = create_task(script("/api/actions/switch", "POST", {"group": "1"}), name="waiting")
    await began.wait()
    for task in asyncio.all_tasks():
        if "_execute" in repr(task):
            task.cancel()
    answer = await waiting
    assert answer.code == 503 and document_of(answer) == {"error": "the node has stopped meanwhile"}


def test_arguments_are_told_on_one_line() -> None:
    """Whatever a request has for arguments."""
    assert told_of({"reason": 'a "b"\n', "more": 7}) == r'reason="a \"b\"\n" more=7'
    assert told_of(["a"]) == told_of(None) == ""
