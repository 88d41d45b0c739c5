"""The command line: ``wsa-proxy VERB``, with the verbs run, check, cleanup, reload, demote, restore, preempt, switch,
drill, maintenance, status, watch, doctor, lab and simulate.

Each verb imports what it needs only when it is called, so that ``status`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wsa_proxy import __version__

STATUS_UNWELL = 3
"""As systemctl answers for what does not do its work; 1 is that nobody could be asked."""
STATUS_UNREAD = 141
"""128 and the number of SIGPIPE, as a shell says it of a program that the signal has ended."""
SWITCH_LIMIT_S = 30.0  # the node itself waits for 20
DRILL_LIMIT_S = 150.0  # two switches, and one back if need be, each of them as long as it may take
RELOAD_LIMIT_S = 120.0  # a slow key is made from each new secret, and reloads wait for each other
TELL_LIMIT_S = 3.0
MAINTENANCE_LIMIT_S = 15.0  # it is on the disk before it is answered, and then another node has a second to take over
DEFAULT_SOCKET = Path("/var/lib/wsa-proxy/control.sock")


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one verb and answer the exit status: 0 done, 1 not done and said why, 2 wrong use; `status` answers 3
    when a node is there and not all is well."""
    try:
        status = _carry_out(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` has seen enough. Python would complain about the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STATUS_UNREAD
    return status


def _carry_out(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb != "run":
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.verb == "run":
        return _run(options.file, rest)
    return int(options.call(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="wsa-proxy", description="Failover for mitmproxy with CARP.")
    parser.add_argument("--version", action="version", version=f"wsa-proxy {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = verbs.add_parser(
        "run",
        help="start mitmdump with failover",
        usage="wsa-proxy run FILE [mitmdump options]",
        description="Starts mitmdump with the failover addon. What follows FILE goes to mitmdump unchanged.",
    )
    run.add_argument("file", type=Path, metavar="FILE", help="the failover groups of this node")

    for name, call, does in (
        ("check", _check, "say everything that is wrong with a configuration file"),
        ("cleanup", _cleanup, "remove what a killed proxy and guardian have left behind"),
    ):
        with_file = verbs.add_parser(name, help=does)
        with_file.add_argument("file", type=Path, metavar="FILE")
        with_file.set_defaults(call=call)
    _add_what_the_running_node_does(verbs)
    _add_rooms(verbs)
    return parser


def _add_what_the_running_node_does(verbs: Any) -> None:
    """The verbs that are said to it at its control socket."""
    reload = _of_the_running_node(verbs, "reload", "have the running node read its configuration again")
    reload.set_defaults(call=_reload)
    demote = _of_the_running_node(
        verbs, "demote", "let another node take over, until restore or the end of the process"
    )
    demote.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log and the status")
    demote.set_defaults(call=lambda options: _tell(options, "demote", {"reason": options.reason}))
    restore = _of_the_running_node(verbs, "restore", "end a demotion, by demote or by an addon that seemed broken")
    restore.set_defaults(call=lambda options: _tell(options, "restore", {}))
    preempt = _of_the_running_node(verbs, "preempt", "let the better node wait no longer before it takes over")
    preempt.add_argument("group", metavar="GROUP", nargs="?", help="the id of one group; all if left out")
    preempt.set_defaults(call=_preempt)
    _add_maintenance(verbs)
    switch = _of_the_running_node(verbs, "switch", "let another node be master, once it has proven that it can serve")
    switch.add_argument("group", metavar="GROUP", help="the id of the group")
    switch.add_argument("--to", default="", metavar="NODE", help="which; the best standby if left out")
    switch.epilog = "exit status: 0 that node is master, 1 it is not, and why"
    switch.set_defaults(call=_switch)
    drill = _of_the_running_node(verbs, "drill", "switch to the standby and back, and measure it")
    drill.add_argument("group", metavar="GROUP", help="the id of the group")
    drill.add_argument("--objective", default="200ms", metavar="TIME", type=_milliseconds, help="200ms if left out")
    drill.epilog = "exit status: 0 the objective was met both times, 1 not carried out, 3 the objective was missed"
    drill.set_defaults(call=_drill)
    status = _of_the_running_node(verbs, "status", "ask the running node")
    status.epilog = (
        "exit status: 0 every group takes part and the proxy is well, 1 no node has answered, 2 wrong use, 3 a node has"
        " answered, and something is wrong: a group is out or demoted, the proxy cannot serve or serves badly, or there"
        " is no guardian"
    )
    status.add_argument("--json", action="store_true", help="the whole document")
    status.set_defaults(call=_status)


def _add_maintenance(verbs: Any) -> None:
    """`maintenance on`, `off` and `status`; alone it is the last one."""
    maintenance = verbs.add_parser(
        "maintenance",
        help="have other nodes serve for a while, also if this one is restarted; alone: tell whether it is on",
    )
    maintenance.set_defaults(call=_maintenance, file=None)
    orders = maintenance.add_subparsers(metavar="on|off|status")
    on = _of_the_running_node(orders, "on", "begin; a second time: another end and another reason")
    on.add_argument("--for", required=True, metavar="TIME", dest="duration", help="30s, 30m, 2h, 1d; 7d at most")
    on.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log and the status")
    on.set_defaults(
        call=lambda options: _tell(
            options,
            "maintenance_on",
            {"reason": options.reason, "duration": options.duration},
            time_limit_s=MAINTENANCE_LIMIT_S,
        )
    )
    off = _of_the_running_node(orders, "off", "end it now")
    off.set_defaults(call=lambda options: _tell(options, "maintenance_off", {}, time_limit_s=MAINTENANCE_LIMIT_S))
    status = _of_the_running_node(orders, "status", "tell whether it is on, why and for how long")
    status.set_defaults(call=_maintenance)


def _add_rooms(verbs: Any) -> None:
    """The verbs that have a room of their own, and options of their own."""
    watch = verbs.add_parser("watch", help="show who advertises what on a LAN or in a capture, and who is believed")
    import wsa_proxy.watch.command

    wsa_proxy.watch.command.add_arguments(watch)
    watch.set_defaults(call=wsa_proxy.watch.command.main)

    doctor = verbs.add_parser("doctor", help="say what is wrong with this host and its network, and what helps")
    import wsa_proxy.doctor.command

    wsa_proxy.doctor.command.add_arguments(doctor)
    doctor.set_defaults(call=lambda options: wsa_proxy.doctor.command.main(options, _socket_path(options.file)))

    lab = verbs.add_parser("lab", help="try failover: real nodes, a client and an origin in network namespaces")
    import wsa_proxy.lab.command

    wsa_proxy.lab.command.add_arguments(lab)
    lab.set_defaults(call=wsa_proxy.lab.command.main)

    simulate = verbs.add_parser("simulate", help="try the protocol on a simulated LAN with faults, in virtual time")
    import wsa_proxy.simulation.command

    wsa_proxy.simulation.command.add_arguments(simulate)
    simulate.set_defaults(call=wsa_proxy.simulation.command.main)


def _of_the_running_node(verbs: Any, name: str, does: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=does)
    parser.add_argument("file", type=Path, metavar="FILE", nargs="?", help="its configuration, for its state_dir")
    return parser


def _run(file: Path, mitmdump_options: Sequence[str]) -> int:
    """Become mitmdump with the addon; its exit status is ours."""
    from mitmproxy.tools.main import mitmdump

    from wsa_proxy.resources import find

    sys.argv[0] = "wsa-proxy run"  # what mitmdump puts before its own messages
    mitmdump(["-s", str(find("addons/carp_failover.py")), "--set", f"failover_config={file}", *mitmdump_options])
    return 0


def _check(options: argparse.Namespace) -> int:
    from wsa_proxy.config.check import check

    return check(options.file)


def _cleanup(options: argparse.Namespace) -> int:
    """Nothing at all while the groups of the file are served."""
    from wsa_proxy.config import ConfigError
    from wsa_proxy.config import load
    from wsa_proxy.runtime.cleanup import clean_up

    try:
        lines = clean_up(load(options.file).settings)
    except ConfigError as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wsa-proxy: {error.strerror or error}", file=sys.stderr)
        return 1
    print("\n".join(lines) or "nothing was left behind")
    return 0


def _reload(options: argparse.Namespace) -> int:
    """The node reads the file that it was started with; what it says of it is what `check` would say."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        report = ask(_socket_path(options.file), "reload", time_limit_s=RELOAD_LIMIT_S)
    except ControlError as error:
        print(f"wsa-proxy: {error}", file=sys.stderr)
        return 1
    read = report.get("file")
    if options.file is not None and read is not None and Path(read).resolve() != options.file.resolve():
        print(f"wsa-proxy: the running node was started with {read}, and has read that one", file=sys.stderr)
    # A node of an earlier version does not know the verb, and says so.
    errors = [*report.get("errors", []), *([report["error"]] if "error" in report else [])]
    for line in errors:
        print(line, file=sys.stderr)
    for line in report.get("warnings", []):
        print(f"warning: {line}")
    for line in report.get("changes", []):
        print(line)
    if report.get("refused") or "error" in report:
        print("wsa-proxy: nothing has changed, the node goes on with its old settings", file=sys.stderr)
    return 1 if errors else 0


def _switch(options: argparse.Namespace) -> int:
    """To be given on any node of the group; it is answered when the other one is master, or does not become it."""
    return _tell(options, "switch", {"group": options.group, "to": options.to}, time_limit_s=SWITCH_LIMIT_S)


def _milliseconds(text: str) -> str:
    """``200ms``, ``0.5s``, ``2s``, as the node wants it. Raises ValueError."""
    number, unit_ms = (text[:-2], 1) if text.endswith("ms") else (text.removesuffix("s"), 1000)
    if not text.endswith("s") or not 1 <= float(number) * unit_ms <= 60_000:
        raise ValueError(text)
    return str(round(float(number) * unit_ms))


def _drill(options: argparse.Namespace) -> int:
    """Its report, whatever the verdict."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    wanted = {"group": options.group, "objective_ms": options.objective}
    try:
        answer = ask(_socket_path(options.file), "drill", wanted, time_limit_s=DRILL_LIMIT_S)
    except ControlError as error:
        answer = {"error": error}
    if "error" in answer:
        print(f"wsa-proxy: {answer['error']}", file=sys.stderr)
        return 1
    print("\n".join(answer["drill"]["lines"]))
    return int(answer["drill"]["exit_status"])


def _tell(
    options: argparse.Namespace, verb: str, arguments: Mapping[str, str], *, time_limit_s: float = TELL_LIMIT_S
) -> int:
    """Have the running node do something, and say what has changed."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        answer = ask(_socket_path(options.file), verb, arguments, time_limit_s=time_limit_s)
    except ControlError as error:
        answer = {"error": error}
    if "error" in answer:
        print(f"wsa-proxy: {answer['error']}", file=sys.stderr)
        return 1
    print("\n".join(answer["changes"]))
    return 0


def _preempt(options: argparse.Namespace) -> int:
    """A number alone is a group, unless there is a file of that name."""
    if options.group is None and options.file is not None and str(options.file).isdigit() and not options.file.exists():
        options.file, options.group = None, str(options.file)
    return _tell(options, "preempt", {} if options.group is None else {"group": options.group})


def _maintenance(options: argparse.Namespace) -> int:
    from wsa_proxy.status_text import maintenance_lines

    status = _asked_for_status(options)
    if status is None:
        return 1
    print("\n".join(maintenance_lines(status)))
    return 0


def _status(options: argparse.Namespace) -> int:
    from wsa_proxy.status_text import is_well
    from wsa_proxy.status_text import status_text

    status = _asked_for_status(options)
    if status is None:
        return 1
    print(json.dumps(status, indent=2) if options.json else status_text(status))
    return 0 if is_well(status) else STATUS_UNWELL


def _asked_for_status(options: argparse.Namespace) -> dict[str, Any] | None:
    """None, and said why, when nobody answers."""
    from wsa_proxy.runtime.control import ControlError
    from wsa_proxy.runtime.control import ask

    try:
        return ask(_socket_path(options.file), "status")
    except ControlError as error:
        print(f"wsa-proxy: {error}", file=sys.stderr)
        return None


def _socket_path(file: Path | None) -> Path:
    """Where the node with this configuration answers; a wrong file is no reason not to ask the node that runs."""
    if file is None:
        return DEFAULT_SOCKET
    from wsa_proxy.config import ConfigError
    from wsa_proxy.config import read_state_dir

    try:
        return read_state_dir(file) / DEFAULT_SOCKET.name
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    sys.exit(main())
