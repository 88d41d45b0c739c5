"""The whole test track in one ``with``; only inside the namespaces of namespace.py.

with Lab(nodes=2) as lab:
    lab.settle()
    lab.apply(FAULTS["kill"], "a")
    lab.wait_service()
    print(lab.rows()[-1].outage_ms)
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO
from typing import Any
from typing import Self

from wsa_proxy import resources
from wsa_proxy.config import ConfigError
from wsa_proxy.config import load
from wsa_proxy.lab import namespace
from wsa_proxy.lab import saboteur
from wsa_proxy.lab.certificates import make_authority
from wsa_proxy.lab.certificates import make_origin_certificate
from wsa_proxy.lab.configuration import NodeFile
from wsa_proxy.lab.configuration import Options
from wsa_proxy.lab.configuration import OverrideError
from wsa_proxy.lab.configuration import Overrides
from wsa_proxy.lab.configuration import derive
from wsa_proxy.lab.configuration import options_of
from wsa_proxy.lab.fates import Fates
from wsa_proxy.lab.fates import State
from wsa_proxy.lab.fates import read
from wsa_proxy.lab.faults import Fault
from wsa_proxy.lab.holders import HolderLog
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.node import Transition
from wsa_proxy.lab.node import mitmdump_path
from wsa_proxy.lab.outage import Sample
from wsa_proxy.lab.outage import failures
from wsa_proxy.lab.outage import steady
from wsa_proxy.lab.report import Applied
from wsa_proxy.lab.report import Row
from wsa_proxy.lab.report import make_rows
from wsa_proxy.lab.topology import CLIENT
from wsa_proxy.lab.topology import ORIGIN
from wsa_proxy.lab.topology import Host
from wsa_proxy.lab.topology import Topology
from wsa_proxy.lab.topology import node_hosts
from wsa_proxy.settings import place_text

FOLDER = Path("/run/wsa-proxy-lab")
AUTHORITY = FOLDER / "ca"
ORIGIN_CERTIFICATE = FOLDER / "origin.pem"
ORIGIN_NAME = "origin.example.com"
WAIT_LIMIT_S = 30.0
STEADY_S = 1.0
"""The time limit of a request: when nothing failed for so long, no request of the disturbance is left."""
STEADY_SUCCESSES_MIN = 20
"""Of about 100 in that time; a busy machine may make fewer."""
NEWS_FRESH_S = 1.5
SETTLED_S_MIN = 0.5
"""Roles that have stood for so long are also seen by the client, however short the interval is."""
PROGRESS_INTERVAL_S = 2.0
SAMPLES_MAX = 200_000  # Half an hour of requests; the live screen may run for longer.


class NotBack(Exception):
    """A wait ended without what it waited for; the text says what was missing."""


class Lab:
    """Topology, nodes, client, origin and the logs of what happened."""

    def __init__(
        self,
        nodes: int = 2,
        overrides: Overrides | None = None,
        addon: Path | None = None,
        interval_s: float = 0.01,
        say: Callable[[str], None] = lambda line: None,
        options: Options | None = None,
    ) -> None:
        """``addon`` replaces the real one in tests of the lab itself; ``say`` gets one line for each progress. Raises
        OverrideError for a wrong key or node in ``overrides`` or ``options``."""
        self._hosts = node_hosts(nodes)
        self._say = say
        self._addon = addon or resources.find("addons/carp_failover.py")
        self._interval_s = interval_s
        self._folders = {host.name: FOLDER / f"node-{host.name}" for host in self._hosts}
        self._overrides, self._options = dict(overrides or {}), dict(options or {})
        self._files = self._derive({})
        first = self._files[self._hosts[0].name]
        self.virtual_ips = [str(each.ip) for each in first.virtual_ips]
        self.topology: Topology = Topology([*self._hosts, CLIENT, ORIGIN])
        self._launcher: Sequence[str] = ()
        """What every process is started with, where it would not end with the namespaces."""
        self.nodes: dict[str, Node] = {}
        self.samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)
        self.fates = Fates()
        self.applied: list[Applied] = []
        self.began_s = time.monotonic()
        self._client_began_s = self.began_s
        self._settled_since_s: float | None = None
        target = self.virtual_ips[0]
        if first.virtual_ips[0].version == 6 and first.virtual_ips[0].is_link_local:
            target += "%eth0"  # the client's
        self.proxy = place_text(target, first.port)
        self.port = first.port
        self._commands = {name: self._command(name, {}) for name in self._folders}

    def __enter__(self) -> Self:
        FOLDER.mkdir()
        self.topology.build()
        hosts = self._write_hosts()  # they resolve on every host: there is no DNS
        if Path("/etc/hosts").exists():
            namespace.bind_file(hosts, Path("/etc/hosts"))
        self.authority = make_authority(AUTHORITY)
        make_origin_certificate(ORIGIN_CERTIFICATE, [ORIGIN_NAME], [ORIGIN.ipv4.ip, ORIGIN.ipv6.ip])
        origin = self.run_in("origin", "wsa_proxy.lab.origin", "--certificate", str(ORIGIN_CERTIFICATE))
        self.holder_log = HolderLog(
            {host.name: self.topology.networks[host.name] for host in self._hosts}, self._addresses()
        )
        for host in self._hosts:
            self.nodes[host.name] = self._make_node(host, self._folders[host.name])
        self._check_configurations()
        assert origin.stdout is not None
        if origin.stdout.readline() != b"ready\n":
            raise RuntimeError("the lab's origin did not start")
        self.began_s = time.monotonic()
        for node in self.nodes.values():
            node.start()
        return self

    def _make_node(self, host: Host, folder: Path) -> Node:
        """The bench has nodes of other products as well."""
        network = self.topology.networks[host.name]
        return Node(host, network, folder, self._files[host.name], self._commands[host.name])

    def configure(self, name: str, overrides: Overrides, options: Options | None = None) -> None:
        """Give one node these settings beside those of the lab, in place of those of an earlier call; ``{}``: as it was
        at first. What takes effect at once is up to the node: a reload reads its file, a start its options as well.
        Raises OverrideError."""
        file = self._derive({f"{name}.{key}": value for key, value in overrides.items()})[name]
        self._files[name] = file
        self.nodes[name].configure(file, self._command(name, options or {}))
        self.holder_log.watch(self._addresses())
        self._write_hosts()

    def _derive(self, more: Overrides) -> dict[str, NodeFile]:
        states = {name: folder / "state" for name, folder in self._folders.items()}
        before = {key: value for key, value in self._overrides.items() if key not in more}
        return derive(list(states), states, before | dict(more))  # the last one counts

    def _command(self, name: str, more: Options) -> list[str]:
        """The command line of this node's mitmdump, without the configuration."""
        options = {
            "confdir": str(AUTHORITY),
            "ssl_verify_upstream_trusted_ca": str(ORIGIN_CERTIFICATE),
            "flow_detail": "0",
        }
        options |= options_of(name, list(self._folders), self._options) | dict(more)
        settings = itertools.chain(*(("--set", f"{option}={value}") for option, value in options.items()))
        return [mitmdump_path(), *self._failover(), "-s", saboteur.__file__, *settings]

    def _failover(self) -> list[str]:
        """What makes a node of a mitmdump."""
        return ["-s", str(self._addon)]

    def _addresses(self) -> set[str]:
        """All virtual IPs, also those that one node has and another has not."""
        return {str(each.ip) for file in self._files.values() for each in file.virtual_ips}

    def _check_configurations(self) -> None:
        """Judge every node's file as the node itself will, on its own network. Raises OverrideError with all lines."""
        wrong = []
        for node in self.nodes.values():
            try:
                with namespace.inside(self.topology.networks[node.name]):
                    load(node.configuration)
            except ConfigError as error:
                wrong.append(str(error))
        if wrong:
            raise OverrideError("\n".join(["the nodes would not start:", *wrong]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing to take down: the kernel does, when the first process of the namespaces ends."""

    def run_in(self, host: str, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the lab's own programs in a host's namespace; its stdout is a pipe."""
        with namespace.inside(self.topology.networks[host]):
            return subprocess.Popen(
                [*self._launcher, sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )

    def start_client(self, *more: str, limit_s: float = STEADY_S) -> None:
        """Start the steady stream of requests; ``more`` arguments are those of client.py. ``limit_s`` is that of one
        request; ``wait_service`` takes it for STEADY_S."""
        url = f"http://{ORIGIN.ipv4.ip}/"
        arguments = ("--proxy", self.proxy, "--url", url, "--interval", str(self._interval_s), *more)
        client = self.run_in("client", "wsa_proxy.lab.client", *arguments, "--limit", str(limit_s))
        assert client.stdout is not None
        self._client_began_s = time.monotonic()
        threading.Thread(target=self._collect, args=(client.stdout,), name="samples", daemon=True).start()

    def keep_open(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the client that keeps connections open; ``fates`` has their news. The arguments, and what a SIGTERM to
        it means, are those of open_connections.py."""
        target = ("--proxy", self.proxy, "--origin", str(ORIGIN.ipv4.ip))
        keeper = self.run_in("client", "wsa_proxy.lab.open_connections", *target, *arguments)
        assert keeper.stdout is not None
        threading.Thread(target=self._note_fates, args=(keeper.stdout,), name="fates", daemon=True).start()
        return keeper

    def wait_open(self, count: int, limit_s: float = WAIT_LIMIT_S) -> None:
        """Wait until so many connections are open. Raises NotBack."""

        def missing() -> str | None:
            running = sum(fate.state is State.RUNS for fate in self.fates.newest())
            return None if running >= count else f"{running} are"

        self.wait_for(f"{count} connections to be open", missing, limit_s)

    def fetch(self, url: str, limit_s: float = 10.0) -> dict[str, Any]:
        """One request of the client through the virtual IP, trusting the lab's CA; see client.fetch_once."""
        arguments = ("--proxy", self.proxy, "--url", url, "--once", "--ca", str(self.authority))
        once = self.run_in("client", "wsa_proxy.lab.client", *arguments, "--limit", str(limit_s))
        answer = json.loads(once.communicate(timeout=limit_s + 5)[0])
        assert isinstance(answer, dict)
        return answer

    def apply(self, fault: Fault, *targets: str) -> None:
        """Do the fault now and note the time. Raises NodeFault when it makes no sense."""
        at_s = time.monotonic()
        fault.apply(self, *targets)
        self._settled_since_s = None
        self.applied.append(Applied(fault.text(targets), at_s))

    def wait_service(self, limit_s: float = WAIT_LIMIT_S) -> None:
        """Wait until requests succeed steadily again since the last fault. Raises NotBack."""
        since_s = self.applied[-1].at_s if self.applied else self._client_began_s
        self.wait_for("requests to succeed for 1 s", lambda: self._missing_service(since_s), limit_s)

    def settle(self, limit_s: float = WAIT_LIMIT_S) -> None:
        """Wait until one node is master and every other running one is backup, for an interval. Raises NotBack."""
        self.wait_for("one master, the others backup", self._missing_roles, limit_s)

    def wait_for(self, what: str, missing: Callable[[], str | None], limit_s: float) -> None:
        """Wait until ``missing`` returns None; it says what is missing otherwise. Raises NotBack after the limit."""
        begin_s = time.monotonic()
        told_s = begin_s
        self._say(f"waiting for {what} (at most {limit_s:g} s)")
        while (lacking := missing()) is not None:
            now = time.monotonic()
            self._check_ended()
            if now - begin_s > limit_s:
                raise NotBack(f"waited {limit_s:g} s for {what}: {lacking}")
            if now - told_s >= PROGRESS_INTERVAL_S:
                told_s = now
                self._say(f"  {now - begin_s:.0f} s: {lacking}")
            time.sleep(0.05)

    def _missing_service(self, since_s: float) -> str | None:
        now = time.monotonic()
        # The newest 1,000 cover every request that can matter here. Copied in one go: the client's go on arriving.
        newest = list(self.samples)[:-1001:-1]
        if steady(newest, since_s, now, STEADY_S, STEADY_SUCCESSES_MIN):
            return None
        failed = failures(newest, max(since_s, now - STEADY_S), now)
        if failed:
            return f"{len(failed)} requests failed in the last second, the newest: {failed[0].error}"
        return "no request has succeeded for long enough yet"

    def _missing_roles(self) -> str | None:
        lacking = self._unsettled()
        now = time.monotonic()
        if lacking is not None:
            self._settled_since_s = None
            return lacking
        if self._settled_since_s is None:
            self._settled_since_s = now
        interval_s = max(float(group["advertisement_interval_s"]) for group in self._groups_of_awake()[0][1])
        if now - self._settled_since_s < max(interval_s, SETTLED_S_MIN):
            return "the roles have just been taken"
        return None

    def _groups_of_awake(self) -> list[tuple[Node, list[dict[str, Any]]]]:
        """The nodes that can take part, with their last reported groups."""
        awake = [
            node for node in self.nodes.values() if node.wanted and node.answers and self.topology.plugged(node.name)
        ]
        return [(node, node.news.groups if node.news else []) for node in awake]

    def _unsettled(self) -> str | None:
        """Say what is not settled, by what the awake nodes report."""
        awake = self._groups_of_awake()
        if not awake:
            return "no node is running"
        now = time.monotonic()
        for node, _ in awake:
            if node.news is None or now - node.news.at_s > NEWS_FRESH_S:
                return f"node {node.name} does not answer"
        by_group: dict[int, list[tuple[Node, dict[str, Any]]]] = {}
        for node, groups in awake:
            for group in groups:
                by_group.setdefault(group["id"], []).append((node, group))
        for members in by_group.values():
            if lacking := _unsettled_group(members):
                return lacking
        return None if by_group else "no node reports a group"

    def _check_ended(self) -> None:
        """A node that ended by itself will not come back: say what it printed. Raises NotBack."""
        for node in self.nodes.values():
            if node.ended_by_itself:
                raise NotBack(f"node {node.name} ended by itself; the end of its log:\n{node.log_tail()}")

    def transitions(self) -> list[Transition]:
        """All changes of state that the nodes reported, in the order of time."""
        return sorted(itertools.chain(*(node.transitions for node in self.nodes.values())), key=lambda each: each.at_s)

    def rows(self) -> list[Row]:
        """One row for each fault so far."""
        return self._rows(self.applied, list(self.samples))

    def last_row(self) -> Row | None:
        """The row of the last fault, made from the newest samples only: cheap enough for every frame of the screen."""
        if not self.applied:
            return None
        begin_s = self.applied[-1].at_s - 2 * STEADY_S
        newest = itertools.takewhile(lambda sample: sample.end_s > begin_s, reversed(list(self.samples)))
        return self._rows(self.applied[-1:], list(newest))[0]

    def _rows(self, applied: Sequence[Applied], samples: Sequence[Sample]) -> list[Row]:
        until_s = time.monotonic()
        return make_rows(applied, samples, self.holder_log.events, self.fates.ended(), self.servers, until_s)

    @property
    def servers(self) -> dict[str, str]:
        """The node of each address from which the origin may be asked."""
        return {str(address.ip): host.name for host in self._hosts for address in (host.ipv4, host.ipv6)}

    def _collect(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.samples.append(Sample(*json.loads(line)))

    def _note_fates(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.fates.note(read(line))

    def _write_hosts(self) -> Path:
        """The names of the lab, in the form of /etc/hosts."""
        lines = ["127.0.0.1 localhost", "::1 localhost", f"{ORIGIN.ipv4.ip} {ORIGIN_NAME}"]
        for file in self._files.values():
            lines += [f"{address.ip} {name}" for name in file.hostnames for address in file.virtual_ips]
        hosts = FOLDER / "hosts"
        hosts.write_text("\n".join(dict.fromkeys(lines)) + "\n")
        return hosts


def _unsettled_group(members: Sequence[tuple[Node, Mapping[str, Any]]]) -> str | None:
    """Say what is not settled in one group of the awake nodes."""
    masters = [(node, group) for node, group in members if group["state"] == "master"]
    for node, group in members:
        if group["state"] not in ("master", "backup"):
            return f"node {node.name} is {group['state']} ({group.get('reason')})"
    if len(masters) != 1:
        return f"{len(masters)} masters"
    preemptive = all(node.news and node.news.document["failover_handling"] == "preemptive" for node, _ in members)
    healthy = [(node, group) for node, group in members if not group["demotion"]]
    if preemptive and healthy:
        best, _ = max(healthy, key=lambda member: int(member[1]["priority"]))
        if masters[0][0] is not best:
            return f"node {best.name} has not taken over yet"
    return None
