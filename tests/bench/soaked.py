"""One lab under load whose LAN loses frames, looked at again and again; soak.py runs it in namespaces."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections import Counter
from collections import deque
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO
from typing import Any

from tests.bench import loss
from tests.bench import soak_probe
from tests.bench.footprint import Footprint
from tests.bench.footprint import footprint
from tests.bench.footprint import tcp_counters
from tests.bench.footprint import waiting
from tests.bench.loaded import moves
from tests.bench.log_tail import LogTail
from tests.bench.medians import of_hundredths
from tests.bench.steadiness import Record
from wsa_proxy.lab.faults import find_nft
from wsa_proxy.lab.holders import holdings
from wsa_proxy.lab.holders import overlap_s
from wsa_proxy.lab.lab import ORIGIN_NAME
from wsa_proxy.lab.lab import SAMPLES_MAX
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.namespace import inside
from wsa_proxy.lab.node import Node
from wsa_proxy.lab.outage import Sample as Request
from wsa_proxy.lab.outage import longest_gap

HERE = Path(__file__).parent
LOOK_S = 0.5
LIMIT_S = 30.0
"""Of a request: a SYN that was lost is sent again after 1, 3, 7 and 15 s."""
KEPT_MAX = "16"
"""Connections that wait for their next request: else each slow moment would leave some more."""
TLS_EACH_S = 0.5
OPEN: Sequence[str] = (
    *("--downloads", "2", "--download-bytes", "3000000", "--download-s", "30", "--tunnels", "4", "--websockets", "4"),
    *("--waiting", "20", "--talk-s", "45", "--apart-s", "0.2", "--again"),
)
OPEN_COUNT = 30
LINES_KEPT_MAX = 300
USUAL = re.compile(r"(?:client|server) (?:dis)?connect|Streaming response from")
"""Lines of mitmproxy's log that come with each request."""


class Soak:
    """In one ``with`` of the lab. What it has seen so far is in ``record``, also after an interrupt."""

    def __init__(
        self, lab: Lab, planned_s: float, percent: float, each_s: float, tell: Callable[[Record], None]
    ) -> None:
        """``percent`` of the frames are lost; ``tell`` is called after each sample, every ``each_s`` seconds."""
        self._lab, self._planned_s, self._percent, self._each_s, self._tell = lab, planned_s, percent, each_s, tell
        self.record = Record(names=list(lab.nodes), planned_s=planned_s)
        self._requests: dict[str, deque[Request]] = {"requests": lab.samples, "tls": deque(maxlen=SAMPLES_MAX)}
        self._errors: Counter[str] = Counter()
        self._lag_ms = dict.fromkeys(lab.nodes, 0.0)
        self._cpu_s: dict[int, tuple[float, float]] = {}
        self._counts: dict[str, soak_probe.Count] = {}
        self._logs: dict[str, LogTail] = {}
        self._probes: dict[str, LogTail] = {}
        self._began_s = self._looked_s = time.monotonic()

    def run(self) -> None:
        """Raises NotBack when the lab does not start."""
        lab = self._lab
        lab.settle()
        lab.start_client("--kept", "--kept-max", KEPT_MAX, limit_s=LIMIT_S)
        tls = lab.run_in("client", "tests.bench.paced_tls", lab.proxy, ORIGIN_NAME, str(lab.authority), str(TLS_EACH_S))
        assert tls.stdout is not None
        threading.Thread(target=self._collect_tls, args=(tls.stdout,), name="tls", daemon=True).start()
        lab.keep_open(*OPEN)
        lab.wait_open(OPEN_COUNT)
        lab.wait_service()
        loss.begin(lab.nodes, self._percent)
        for name, node in lab.nodes.items():
            self._logs[name] = LogTail(node.log, from_end=True)
            self._probes[name] = LogTail(Path(os.environ["SOAK_PROBE"]) / str(node.pid))
        self._began_s = self._looked_s = time.monotonic()
        self._watch()

    def _collect_tls(self, lines: IO[bytes]) -> None:
        for line in lines:
            self._requests["tls"].append(Request(*json.loads(line)))

    def _watch(self) -> None:
        due_s = self._began_s + self._each_s
        while due_s <= self._began_s + self._planned_s:
            while (now := time.monotonic()) < due_s:
                self._note_lags()
                time.sleep(min(LOOK_S, due_s - now))
            self._look()
            self._tell(self.record)
            if self.record.problems:
                return
            due_s = max(due_s + self._each_s, time.monotonic())

    def _note_lags(self) -> None:
        """The status tells of the last second only."""
        for name, node in self._lab.nodes.items():
            if node.news is not None:
                self._lag_ms[name] = max(self._lag_ms[name], 1000 * float(node.news.document["loop_lag_s"]))

    def _look(self) -> None:
        """One sample of everything."""
        lab, begin_s, end_s = self._lab, self._looked_s, time.monotonic()
        self._looked_s = end_s
        nodes = {}
        for name, node in lab.nodes.items():
            self._read_log(name)
            if node.ended_by_itself:
                self.record.problems.append(f"node {name} ended by itself; the end of its log: {node.log_tail()}")
            else:
                try:
                    nodes[name] = self._of_node(node)
                except OSError as error:
                    self.record.problems.append(f"node {name} cannot be looked at: {error}")
        plain, tls = self._of_requests("requests", begin_s, end_s), self._of_requests("tls", begin_s, end_s)
        self.record.errors = [f"{error}, {count} times" for error, count in self._errors.items()]
        if not plain["done"]:
            self.record.problems.append(f"no request was answered in {end_s - begin_s:.0f} s")
        lost = [each for each in lab.fates.ended() if each.state.lost and each.at_s > self._began_s]
        self.record.lost_connections = [f"{each.place}, {each.state}: {each.error}" for each in lost]
        self.record.two_holders_s = overlap_s(holdings(lab.holder_log.events, end_s), self._began_s, end_s)
        self.record.holders_known = not lab.holder_log.lost_messages
        if not self.record.problems:
            sample = {"at_s": round(end_s - self._began_s, 1), "load": os.getloadavg()[0], "frames": loss.counted()}
            self.record.samples.append(sample | {"requests": plain, "tls": tls, "nodes": nodes})

    def _read_log(self, name: str) -> None:
        lines = self._logs[name].lines()
        self.record.moves += [f"{name}: {move}" for move in moves("\n".join(lines))]
        room = LINES_KEPT_MAX - len(self.record.unusual)
        self.record.unusual += [f"{name}: {line}" for line in lines if not USUAL.search(line)][: max(0, room)]

    def _of_node(self, node: Node) -> dict[str, Any]:
        assert node.news is not None
        document = node.news.document
        guardian = document["guardian"]["pid"]
        for line in self._probes[node.name].lines():
            self._counts[node.name] = soak_probe.read(line)
        count = self._counts.get(node.name)
        probed = {"tasks": count.tasks, "blocks": count.blocks, "live": count.live or None} if count is not None else {}
        lag_ms, self._lag_ms[node.name] = self._lag_ms[node.name], 0.0
        return {
            "states": [group["state"] for group in document["groups"]],
            "demotions": [group["demotion"] for group in document["groups"]],
            "warnings": sorted({each["kind"] for each in document["warnings"]}),
            "lag_ms": round(lag_ms, 1),
            "proxy": self._of_process(node.pid) | probed,
            "guardian": self._of_process(guardian) if guardian is not None else None,
            "network": tcp_counters(node.pid) | {"waiting": waiting(node.pid, self._lab.port)},
            "nft_elements": self._nft_elements(node.name),
            "state_kib": sum(each.stat().st_size for each in node.state_dir.rglob("*") if each.is_file()) / 1024,
        }

    def _of_process(self, pid: int) -> dict[str, Any]:
        now, has = time.monotonic(), footprint(pid)
        before_s, before_cpu_s = self._cpu_s.get(pid, (self._began_s, has.cpu_s))
        self._cpu_s[pid] = (now, has.cpu_s)
        return without_time(has) | {"cpu_percent": round(100 * (has.cpu_s - before_cpu_s) / (now - before_s), 1)}

    def _nft_elements(self, name: str) -> int:
        with inside(self._lab.topology.networks[name]):
            listing = subprocess.run(
                [find_nft(), "-j", "list", "ruleset"], capture_output=True, check=True, timeout=loss.NFT_S_MAX
            )
        return elements(json.loads(listing.stdout)["nftables"])

    def _of_requests(self, kind: str, begin_s: float, end_s: float) -> dict[str, Any]:
        """Those that have ended between these moments."""
        known = [each for each in list(self._requests[kind]) if each.end_s > begin_s - self._each_s]
        ended = [each for each in known if begin_s < each.end_s <= end_s]
        self._errors.update(each.error for each in ended if not each.ok)
        took_ms = [1000 * (each.end_s - each.start_s) for each in ended if each.ok]
        self.record.times_ms[kind].extend(took_ms)
        gap = longest_gap(known, begin_s, end_s)
        return {
            "done": len(ended),
            "failed": sum(not each.ok for each in ended),
            "took_ms": took(took_ms),
            "gap_ms": round(1000 * gap.duration_s),
        }


def without_time(has: Footprint) -> dict[str, Any]:
    return {key: value for key, value in asdict(has).items() if key != "cpu_s"}


def elements(ruleset: Iterable[dict[str, Any]]) -> int:
    """Of all sets and maps."""
    kinds = (each[kind] for each in ruleset for kind in ("set", "map") if kind in each)
    return sum(len(each.get("elem", ())) for each in kinds)


def took(times_ms: Iterable[float]) -> dict[str, int]:
    """The middle, the 99th percentile and the longest, in milliseconds."""
    return dict(zip(("p50", "p99", "max"), map(round, of_hundredths(times_ms)), strict=False))
