"""What an operator orders in mitmproxy's console reaches the node, and what makes no sense is an error there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import exceptions
from mitmproxy.test import taddons

from wsa_proxy.proxy.addon_commands import AddonCommands
from wsa_proxy.runtime.asker import BY_COMMAND
from wsa_proxy.runtime.asker import asker


class FakeNode:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.asked_by: set[str] = set()
        self.verbs: dict[str, Any] = {}
        self.changes: list[str] = ["changed"]
        self.settings = SimpleNamespace(source=Path("/etc/node.yaml"))
        self.operator = SimpleNamespace(demote=self._tell("demote"), restore=self._tell("restore"))
        self.maintenance = SimpleNamespace(on=self._on, off=self._off, refusal=lambda reason, _: reason or "no reason")

    def _tell(self, verb: str) -> Any:
        def told(*arguments: str) -> dict[str, Any]:
            self.told.append((verb, *arguments))
            return {"changes": self.changes} if arguments != ("",) else {"error": "not so"}

        return told

    def own_verbs(self) -> dict[str, Any]:
        """As the real one's."""
        return {
            "preempt": self.preempt,
            "switch": self.switch,
            "drill": self.drill,
            "maintenance_on": self.maintenance.on,
            "maintenance_off": self.maintenance.off,
        }

    async def _on(self, reason: str, duration: str) -> None:
        self.told.append(("maintenance on", reason, duration))

    async def _off(self) -> None:
        self.told.append(("maintenance off",))

    async def switch(self, group: str, to: str) -> None:
        self.told.append(("switch", group, to))

    async def drill(self, group: str, objective_ms: str) -> None:
        self.told.append(("drill", group, objective_ms))

    def status(self) -> dict[str, Any]:
        return {"node": "a"}

    def why(self, group: str) -> dict[str, Any]:
        if group == "9":
            return {"error": "no group has the id 9"}
        return {"why": [{"group": 1, "state": "backup", "sentences": ["What.", "What holds it.", "What changes it."]}]}

    def preempt(self, group: str) -> dict[str, Any]:
        return {"changes": [f"group {group} waits no longer"]}


class Commands(AddonCommands):
    """The attributes that the real addon has."""

    def __init__(self, node: FakeNode | None) -> None:
        self.forgiven: list[str] = []
        self._node = node  # type: ignore[assignment]
        self._reloader = node and SimpleNamespace(report=self._report)  # type: ignore[assignment]
        self._addon_tests = SimpleNamespace(forgive=lambda _: self.forgiven)  # type: ignore[assignment]

        if node is not None:
            node.verbs = {name: self._noted(node, verb) for name, verb in (node.own_verbs() | self._verbs()).items()}

    @staticmethod
    def _noted(node: FakeNode, verb: Any) -> Any:
        def noted(*arguments: str) -> Any:
            node.asked_by.add(asker.get())
            return verb(*arguments)

        return noted

    async def _report(self) -> dict[str, Any]:
        assert self._node is not None
        self._node.told.append(("reload", asker.get()))  # type: ignore[attr-defined]
        return {"changes": ["nothing"]}


@pytest.fixture
def console() -> Iterator[Any]:
    """A node, its commands, and how the console calls one."""
    node = FakeNode()
    commands = Commands(node)
    with taddons.context(commands) as context:
        yield SimpleNamespace(node=node, commands=commands, call=context.master.commands.call)


async def test_each_order_reaches_the_node(console: Any) -> None:
    """And its answer is what has changed."""
    assert json.loads(console.call("failover.status")) == {"node": "a"}
    assert console.call("failover.preempt", "7") == "group 7 waits no longer"
    assert console.call("failover.demote", "kernel update") == "changed"
    assert console.call("failover.restore") == "changed"
    assert console.call("failover.reload") == "/etc/node.yaml is being read again; the log says what has changed"
    await asyncio.sleep(0)
    assert console.node.told == [("demote", "kernel update"), ("restore",), ("reload", BY_COMMAND)]
    assert console.node.asked_by == {BY_COMMAND} and asker.get() == ""


async def test_why_is_answered_in_three_sentences(console: Any) -> None:
    """One line for each group; a group that is not there is an error."""
    assert console.call("failover.why") == console.call("failover.why", "1") == "What. What holds it. What changes it."
    with pytest.raises(exceptions.CommandError, match="no group has the id 9"):
        console.call("failover.why", "9")


async def test_maintenance_is_begun_and_ended_without_waiting_for_the_disk(console: Any) -> None:
    """The console would stand still, and with it the proxy."""
    console.node.maintenance.refusal = lambda reason, duration: None
    said = console.call("failover.maintenance_on", "kernel update", "30m")
    assert said == "maintenance is being written down; the log says when it has begun"
    assert console.call("failover.maintenance_off") == "maintenance is being ended; the log says when it has"
    await asyncio.sleep(0)
    assert console.node.asked_by == {BY_COMMAND}
    assert console.node.told == [("maintenance on", "kernel update", "30m"), ("maintenance off",)]


async def test_a_switch_and_a_drill_are_begun(console: Any) -> None:
    """They take seconds; the log says what came of them."""
    assert "is being switched" in console.call("failover.switch", "7") + console.call("failover.switch", "7", "b")
    assert "has begun" in console.call("failover.drill", "7") + console.call("failover.drill", "7", "50")
    await asyncio.sleep(0)
    assert console.node.asked_by == {BY_COMMAND}
    assert console.node.told == [("switch", "7", ""), ("switch", "7", "b"), ("drill", "7", "200"), ("drill", "7", "50")]


async def test_what_makes_no_sense_is_an_error_of_the_console(console: Any) -> None:
    """With the node's own words, and nothing is done."""
    with pytest.raises(exceptions.CommandError, match="not so"):
        console.call("failover.demote", "")
    with pytest.raises(exceptions.CommandError, match="no reason"):
        console.call("failover.maintenance_on", "", "30m")
    await asyncio.sleep(0)
    assert console.node.told == [("demote", "")]


async def test_restoring_forgives_the_addons_too(console: Any) -> None:
    """One verb for whatever demotes; that there was nothing is an answer as well."""
    console.commands.forgiven = ["the addon is asked again"]
    assert console.call("failover.restore") == "changed\nthe addon is asked again"
    console.node.changes, console.commands.forgiven = [], []
    assert console.call("failover.restore") == "nothing was there to restore"


async def test_the_control_socket_has_its_verbs(console: Any) -> None:
    """A reload names the file that was read."""
    verbs = console.commands._verbs()
    assert sorted(verbs) == ["demote", "reload", "restore"]
    assert await verbs["reload"]() == {"changes": ["nothing"], "file": "/etc/node.yaml"}
    assert verbs["demote"](reason="x") == verbs["restore"]() == {"changes": ["changed"]}


async def test_before_the_start_there_is_nobody_to_order() -> None:
    """A sentence, and no traceback."""
    commands = Commands(None)
    with taddons.context(commands) as context:
        for call in (
            ("failover.status",),
            ("failover.reload",),
            ("failover.preempt", ""),
            ("failover.demote", "x"),
            ("failover.restore",),
            ("failover.maintenance_on", "x", "1h"),
            ("failover.maintenance_off",),
            ("failover.switch", "7"),
            ("failover.drill", "7"),
        ):
            with pytest.raises(exceptions.CommandError, match="failover has not started yet"):
                context.master.commands.call(*call)
    assert commands._demote("x") == commands._restore() == {"error": "failover has not started yet"}
