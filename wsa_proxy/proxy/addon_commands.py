"""What an operator orders: mitmproxy's commands, and the verbs of the control socket that need more than the node.

The base of the addon and no addon of its own: mitmproxy goes through all addons at each hook of each request.
mitmproxy calls its commands without waiting, so what must first be on the disk is told by the log.
"""

from __future__ import annotations

import json
from typing import Any

from mitmproxy import command
from mitmproxy import exceptions

from wsa_proxy.proxy.addon_tests import AddonTests
from wsa_proxy.proxy.reload import Reloader
from wsa_proxy.runtime.asker import BY_COMMAND
from wsa_proxy.runtime.asker import asked_by
from wsa_proxy.runtime.node import Node
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.runtime.verbs import Answer
from wsa_proxy.runtime.verbs import Verb

NOT_STARTED = "failover has not started yet"


class AddonCommands:
    """Of the addon that has these attributes."""

    _node: Node | None
    _reloader: Reloader | None
    _addon_tests: AddonTests

    def _started(self) -> Node:
        if self._node is None:
            raise exceptions.CommandError(NOT_STARTED)
        return self._node

    @command.command("failover.status")  # type: ignore[untyped-decorator]
    def status(self) -> str:
        """What this node is, holds and has seen, as JSON."""
        return json.dumps(self._started().status(), indent=2)

    @command.command("failover.why")  # type: ignore[untyped-decorator]
    def why(self, group: str = "") -> str:
        """Why a group is what it is, or all: its cause, what holds it there, what would change that."""
        answer = self._started().why(group)
        if "error" in answer:
            raise exceptions.CommandError(answer["error"])
        return "\n".join(" ".join(each["sentences"]) for each in answer["why"])

    @command.command("failover.reload")  # type: ignore[untyped-decorator]
    def reload(self) -> str:
        """Read the configuration again and take what has changed; the log says what came of it."""
        self._begin("reload")
        return f"{self._started().settings.source} is being read again; the log says what has changed"

    @command.command("failover.preempt")  # type: ignore[untyped-decorator]
    def preempt(self, group: str = "") -> str:
        """Wait no longer before this node takes over from an inferior master; of one group by its id, or of all."""
        return _changes(self._order("preempt", group))

    @command.command("failover.switch")  # type: ignore[untyped-decorator]
    def switch(self, group: str, to: str = "") -> str:
        """Let this node, or the best standby, be master of a group once it has proven itself; the log says what came
        of it."""
        self._begin("switch", group, to)
        return f"group {group} is being switched; the log says what came of it"

    @command.command("failover.drill")  # type: ignore[untyped-decorator]
    def drill(self, group: str, objective_ms: str = "200") -> str:
        """Switch a group to the standby and back, measured; the log has the report."""
        self._begin("drill", group, objective_ms)
        return f"the drill of group {group} has begun; the log has the report"

    @command.command("failover.demote")  # type: ignore[untyped-decorator]
    def demote(self, reason: str) -> str:
        """Let another node take over, until failover.restore or the end of the process. Nobody there: it goes on."""
        return _changes(self._order("demote", reason))

    @command.command("failover.restore")  # type: ignore[untyped-decorator]
    def restore(self) -> str:
        """End a demotion: by failover.demote, or by an addon that seemed broken."""
        return _changes(self._order("restore"))

    @command.command("failover.maintenance_on")  # type: ignore[untyped-decorator]
    def maintenance_on(self, reason: str, duration: str) -> str:
        """Let another node take over for so long (30s, 30m, 2h, 1d), also if this one is restarted. Nobody there: it
        goes on. The log says when it has begun."""
        refusal = self._started().maintenance.refusal(reason, duration)
        if refusal is not None:
            raise exceptions.CommandError(refusal)
        self._begin("maintenance_on", reason, duration)
        return "maintenance is being written down; the log says when it has begun"

    @command.command("failover.maintenance_off")  # type: ignore[untyped-decorator]
    def maintenance_off(self) -> str:
        """End failover.maintenance_on before its time. The log says when it has ended."""
        self._begin("maintenance_off")
        return "maintenance is being ended; the log says when it has"

    def _order(self, name: str, *arguments: str) -> Answer:
        """By the node's own verb, so that the history knows who has ordered it."""
        verb = self._started().verbs[name]
        with asked_by(BY_COMMAND):
            answer = verb(*arguments)
        assert isinstance(answer, dict), f"{name} takes its time: it is begun"
        return answer

    def _begin(self, name: str, *arguments: str) -> None:
        """Likewise, without waiting for what comes of it."""
        verb = self._started().verbs[name]

        async def carried_out() -> None:
            answer = verb(*arguments)
            if not isinstance(answer, dict):
                await answer

        with asked_by(BY_COMMAND):
            create_task(carried_out(), name=f"failover {name}")

    # -- at the control socket ---------------------------------------------------------------------------------------

    def _verbs(self) -> dict[str, Verb]:
        """Beside those of the node itself."""
        return {"reload": self._reload, "demote": self._demote, "restore": self._restore}

    def _demote(self, reason: str) -> dict[str, Any]:
        if self._node is None:
            return {"error": NOT_STARTED}
        return self._node.operator.demote(reason)

    def _restore(self) -> dict[str, Any]:
        if self._node is None:
            return {"error": NOT_STARTED}
        changes = [*self._node.operator.restore()["changes"], *self._addon_tests.forgive("restored by the operator")]
        return {"changes": changes or ["nothing was there to restore"]}

    async def _reload(self) -> dict[str, Any]:
        """For whoever asks at the control socket; it is open only after the reloader was made."""
        assert self._reloader is not None and self._node is not None
        return await self._reloader.report() | {"file": str(self._node.settings.source.absolute())}


def _changes(answer: dict[str, Any]) -> str:
    """For mitmproxy's console."""
    if "error" in answer:
        raise exceptions.CommandError(answer["error"])
    return "\n".join(answer["changes"])
