"""``make soak``: an hour of load on a LAN that loses 1 % of all frames. No node may move, and nothing may grow.

    python -m tests.bench.soak --minutes 60 --output soak.json

Two nodes in a lab. The client starts a request every 10 ms and keeps downloads, tunnels and WebSockets open; another
one makes TLS connections that the proxy intercepts. Each ten seconds everything that a process could gather is looked
at. Prints a line a minute and tables at the end. Ctrl-C ends it with what there is by then.

Ends with status 1 if a node has changed its state, was demoted or fenced, if two had the virtual IP, if a request
failed or a connection was lost, or if something has grown by more than steadiness.py allows; with 130 if it was
interrupted and nothing of that was so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import IO

from tests.bench import crowding
from tests.bench import soak_report
from tests.bench.soaked import HERE
from tests.bench.soaked import Soak
from tests.bench.steadiness import SAMPLES_MIN
from tests.bench.steadiness import Record
from tests.bench.steadiness import broken
from wsa_proxy.lab import namespace
from wsa_proxy.lab.configuration import STREAMING
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.faults import find_nft
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.lab import NotBack

STATUS_BROKEN = 1
STATUS_USAGE = 2
S_PER_MINUTE = 60.0
QUARTERS = 4
PROBES = Path("/run/soak-probe")


def main() -> int:
    parser = argparse.ArgumentParser(description="Load on a LAN that loses frames: no move, nothing that grows.")
    parser.add_argument("--minutes", type=float, default=60.0, help="60")
    parser.add_argument("--loss", type=float, default=1.0, metavar="PERCENT", help="of all frames of the nodes (1)")
    parser.add_argument("--each-s", type=float, default=10.0, metavar="S", help="between two samples (10)")
    parser.add_argument("--output", metavar="FILE", help="all samples as JSON")
    wanted = parser.parse_args()
    try:
        if wanted.minutes * S_PER_MINUTE < wanted.each_s * SAMPLES_MIN or not 0.0 <= wanted.loss <= 100.0:
            raise NodeFault(f"so short a time has no {SAMPLES_MIN} samples, or --loss is not 0 to 100")
        find_nft()
        output = Path(wanted.output).open("w") if wanted.output else None  # noqa: SIM115
    except (NodeFault, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return STATUS_USAGE
    print(crowding.told("beginning"), flush=True)
    return namespace.run(lambda: soak(wanted, output))


def soak(wanted: argparse.Namespace, output: IO[str] | None) -> int:
    """Inside the namespaces. Returns the exit status."""
    PROBES.mkdir()
    os.environ |= {"SOAK_PROBE": str(PROBES), "SOAK_COLLECT_S": str(wanted.minutes * S_PER_MINUTE / QUARTERS)}
    run: Soak | None = None
    interrupted = False
    try:
        with Lab(addon=HERE / "counted_node.py", options=STREAMING, say=_say) as lab:
            run = Soak(lab, wanted.minutes * S_PER_MINUTE, wanted.loss, wanted.each_s, _tell)
            run.run()
    except namespace.Interrupted:
        interrupted = True
    except NotBack as error:
        print(f"soak: the lab did not start: {error}", file=sys.stderr)
        return STATUS_BROKEN
    if run is None or not run.record.samples:
        print("soak: nothing was measured", file=sys.stderr)
        return namespace.STATUS_INTERRUPTED if interrupted else STATUS_BROKEN
    told = broken(run.record)
    if output is not None:
        with output:
            json.dump(soak_report.document(run.record, told), output)
    print("\n".join([*soak_report.tables(run.record), "", *soak_report.verdict(run.record, told)]))
    return STATUS_BROKEN if told else namespace.STATUS_INTERRUPTED if interrupted else 0


def _say(line: str) -> None:
    print(line, flush=True)


def _tell(record: Record) -> None:
    """A line for the first sample, and for each minute from there on."""
    if len(record.samples) % soak_report.SAMPLES_PER_LINE == 1:
        print(soak_report.line(record), flush=True)


if __name__ == "__main__":
    sys.exit(main())
