"""What a process has of the machine: memory, descriptors, threads, processor; and what its network's kernel has for it.

All of it is read from /proc, without stopping anybody. Memory in MiB: RSS is what is in memory of the process, PSS the
same with each page that others share divided by their number.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KIB_PER_MIB = 1024
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LISTENS = "0A"
"""TCP_LISTEN of <net/tcp_states.h>."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Of one process."""

    rss_mib: float
    pss_mib: float
    descriptors: int
    sockets: int
    """Of the descriptors."""
    threads: int
    cpu_s: float
    """Processor used since its start, in its own code and in the kernel."""


def footprint(pid: int) -> Footprint:
    """Raises OSError when the process is gone, or is another user's."""
    process = Path(f"/proc/{pid}")
    memory = sizes_kib((process / "smaps_rollup").read_text())
    opened = [target(each) for each in (process / "fd").iterdir()]
    stat = stat_fields((process / "stat").read_text())
    return Footprint(
        rss_mib=round(memory["Rss"] / KIB_PER_MIB, 2),
        pss_mib=round(memory["Pss"] / KIB_PER_MIB, 2),
        descriptors=len(opened),
        sockets=sum(each.startswith("socket:") for each in opened),
        threads=stat[17],
        cpu_s=sum(stat[11:13]) / TICKS_PER_S,
    )


def sizes_kib(rollup: str) -> dict[str, int]:
    """The lines ``Rss:  102400 kB`` of smaps_rollup."""
    pairs = [line.split() for line in rollup.splitlines() if line.endswith(" kB")]
    return {name.removesuffix(":"): int(size) for name, size, _ in pairs}


def stat_fields(stat: str) -> list[int]:
    """What follows the state (proc_pid_stat(5); the name before it may have spaces): at 11 to 14 the ticks in its own
    code, in the kernel, and of its children that have ended likewise; at 17 the threads. Empty when the file was."""
    return [0, *map(int, stat.rpartition(")")[2].split()[1:])] if stat else []


def target(descriptor: Path) -> str:
    """What it leads to; nothing when it has been closed meanwhile."""
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


def tcp_counters(pid: int) -> dict[str, int]:
    """Of the network in which this process lives: segments sent, and sent again, since it was made; sockets that are in
    use, and that wait for the end of TIME_WAIT, now. Raises OSError."""
    network = Path(f"/proc/{pid}/net")
    tcp = table((network / "snmp").read_text(), "Tcp:")
    now = pairs((network / "sockstat").read_text(), "TCP:")
    sent, again = tcp["OutSegs"], tcp["RetransSegs"]
    return {"sent": sent, "sent_again": again, "in_use": now["inuse"], "time_wait": now["tw"]}


def waiting(pid: int, port: int) -> int:
    """How many clients wait in this process's network to be accepted at this port. Raises OSError."""
    return queued(Path(f"/proc/{pid}/net/tcp").read_text(), port)


def queued(sockets: str, port: int) -> int:
    """Of /proc/net/tcp: what a listening socket has not handed out yet stands as its queue for receiving."""
    fields = [line.split() for line in sockets.splitlines()[1:]]
    listening = [each for each in fields if each[3] == LISTENS and int(each[1].rpartition(":")[2], 16) == port]
    return sum(int(each[4].partition(":")[2], 16) for each in listening)


def table(text: str, name: str) -> Mapping[str, int]:
    """Of /proc/net/snmp: a line of names, and one of numbers below it."""
    names, numbers = [line.split()[1:] for line in text.splitlines() if line.startswith(name)]
    return dict(zip(names, map(int, numbers), strict=True))


def pairs(text: str, name: str) -> Mapping[str, int]:
    """Of /proc/net/sockstat: names and numbers in turns, on one line."""
    (words,) = [line.split()[1:] for line in text.splitlines() if line.startswith(name)]
    return dict(zip(words[::2], map(int, words[1::2]), strict=True))
