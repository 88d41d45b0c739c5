"""The words of the command line: verbs, arguments, and what their help says.

A verb with a room of its own has its arguments there. They are added only when that verb is called, or when all words
are wanted (for completion): to import every room takes longer than ``status`` takes to answer.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from wsa_proxy import __version__
from wsa_proxy.cli import completion
from wsa_proxy.cli import group_test
from wsa_proxy.cli import history
from wsa_proxy.cli import node
from wsa_proxy.cli import orders
from wsa_proxy.cli import status
from wsa_proxy.cli import values
from wsa_proxy.cli.asking import socket_path
from wsa_proxy.cli.exit_status import EXIT_STATUSES
from wsa_proxy.cli.exit_status import epilog
from wsa_proxy.cli.help import HelpFormatter

ROOMS = {
    "watch": "show who advertises what on a LAN or in a capture, and who is believed",
    "doctor": "say what is wrong with this host and its network, and what helps",
    "init": "ask for what a configuration needs, and write it with comments",
    "lab": "try failover: real nodes, a client and an origin in network namespaces",
    "bench": "measure failover beside keepalived and ucarp, in the lab",
    "simulate": "try the protocol on a simulated LAN with faults, in virtual time",
}
"""The verbs with a room of their own; its module ``command`` has ``add_arguments`` and ``main``."""
MODULES = {"simulate": "simulation"}
"""The rooms that have another name than their verb."""
SHELLS = ("bash", "zsh", "fish")
DESCRIPTION = """\
Failover for mitmproxy: several hosts share one virtual IP address with CARP.

FILE is the configuration of a node. The verbs that ask a running node take it for its state_dir; without it they ask
the node in /var/lib/wsa-proxy. Ask as root or as the proxy's own user."""
EPILOG = """\
wsa-proxy VERB --help explains a verb and its exit status: 0 done, 1 not done and why, 2 wrong use, 3 looked at and not
as it should be."""

type Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
type Call = Callable[[argparse.Namespace], int]


def parser_for(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """One that knows all verbs, and the arguments of the one that is called."""
    return make_parser(next((each for each in arguments if not each.startswith("-")), ""))


def make_parser(called: str | None = None) -> argparse.ArgumentParser:
    """``called``: the only room whose arguments are wanted; None: all of them."""
    parser = argparse.ArgumentParser(
        prog="wsa-proxy", description=DESCRIPTION, epilog=EPILOG, formatter_class=HelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"wsa-proxy {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", title="verbs")
    add = {
        "run": _add_run,
        "check": _add_check,
        "cleanup": _add_cleanup,
        "status": _add_status,
        "why": _add_why,
        "history": _add_history,
        "test": _add_test,
        "switch": _add_switch,
        "drill": _add_drill,
        "maintenance": _add_maintenance,
        "demote": _add_demote,
        "restore": _add_restore,
        "preempt": _add_preempt,
        "reload": _add_reload,
        "completion": _add_completion,
    }
    for verb in EXIT_STATUSES:
        if verb in add:
            add[verb](verbs)
        else:
            _add_room(verbs, verb, with_arguments=called in (None, verb))
    return parser


def _verb(verbs: Verbs, name: str, does: str, call: Call, **more: Any) -> argparse.ArgumentParser:
    description = more.pop("description", f"{does[0].upper()}{does[1:]}.")
    parser = verbs.add_parser(
        name, help=does, description=description, epilog=epilog(name), formatter_class=HelpFormatter, **more
    )
    parser.set_defaults(call=call)
    return parser


def _of_the_running_node(verbs: Verbs, name: str, does: str, call: Call, **more: Any) -> argparse.ArgumentParser:
    parser = _verb(verbs, name, does, call, **more)
    _add_node_file(parser)
    return parser


def _add_node_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", nargs="?", help="its configuration, for its state_dir")


def _add_group(parser: argparse.ArgumentParser, **more: Any) -> None:
    parser.add_argument("group", metavar="GROUP", **({"help": "the id of the group"} | more))


def _add_room(verbs: Verbs, name: str, *, with_arguments: bool) -> None:
    if not with_arguments:
        verbs.add_parser(name, help=ROOMS[name])
        return
    room = import_module(f"wsa_proxy.{MODULES.get(name, name)}.command")
    parser = _verb(verbs, name, ROOMS[name], room.main)
    parser.epilog = ""
    room.add_arguments(parser)
    parser.epilog = f"{parser.epilog}\n\n{epilog(name)}".lstrip("\n")
    if name == "doctor":
        parser.set_defaults(call=lambda options: room.main(options, socket_path(options.file)))


def _add_run(verbs: Verbs) -> None:
    parser = _verb(
        verbs,
        "run",
        "start mitmdump with failover",
        node.run,
        usage="wsa-proxy run FILE [mitmdump options]",
        description="Starts mitmdump with the failover addon. What follows FILE goes to mitmdump unchanged.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the failover groups of this node")


def _add_check(verbs: Verbs) -> None:
    parser = _verb(verbs, "check", "say everything that is wrong with a configuration file", node.check)
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration; nothing is started or changed")
    parser.add_argument("--json", action="store_true", help="errors, warnings and groups as one document")


def _add_cleanup(verbs: Verbs) -> None:
    parser = _verb(verbs, "cleanup", "remove what a killed proxy and guardian have left behind", node.cleanup)
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration that they were started with")


def _add_status(verbs: Verbs) -> None:
    parser = _of_the_running_node(
        verbs, "status", "what the running node is, since when and why, and what is wrong", status.status
    )
    parser.add_argument("--json", action="store_true", help="the whole document; with --watch a line for each change")
    parser.add_argument(
        "--watch", action="store_true", help="go on: redrawn each second, in a pipe told at each change; Ctrl-C ends it"
    )


def _add_why(verbs: Verbs) -> None:
    parser = _of_the_running_node(verbs, "why", "say in three sentences why a node is what it is", history.why)
    _add_group(parser, nargs="?", help="the id of one group; all if left out")
    parser.add_argument("--json", action="store_true", help="the answer as one document")


def _add_history(verbs: Verbs) -> None:
    parser = _of_the_running_node(
        verbs, "history", "every change of state: cause, evidence, who, and how long clients felt it", history.history
    )
    parser.add_argument("--group", default="", metavar="GROUP", help="only of the group with this id")
    parser.add_argument("--limit", type=values.number, metavar="N", help="the newest N (20, or all of --since)")
    parser.add_argument("--since", type=values.duration_s, metavar="TIME", help="not older than 90s, 30m, 2h, 7d")
    parser.add_argument("--json", action="store_true", help="the events as one document, the newest first")


def _add_test(verbs: Verbs) -> None:
    parser = _of_the_running_node(
        verbs,
        "test",
        "listen who advertises a group, and say whether that is as it should be",
        group_test.test,
        description="Listens for three advertisement intervals, says who advertises the group and whether a node"
        " believes it, and compares that with what the running node says. It sends nothing, and works without a running"
        " node, too. Listening takes CAP_NET_RAW: run it as root.",
    )
    _add_group(parser, help="the id of the group; all for every one")
    parser.add_argument("--seconds", type=values.seconds, metavar="S", help="listen so long instead")


def _add_switch(verbs: Verbs) -> None:
    does = "let another node be master, once it has proven that it can serve"
    parser = _of_the_running_node(verbs, "switch", does, orders.switch)
    _add_group(parser)
    parser.add_argument("--to", default="", metavar="NODE", help="which; the best standby if left out")


def _add_drill(verbs: Verbs) -> None:
    parser = _of_the_running_node(verbs, "drill", "switch to the standby and back, and measure it", orders.drill)
    _add_group(parser)
    parser.add_argument(
        "--objective", default="200ms", metavar="TIME", type=values.milliseconds, help="200ms if left out"
    )


def _add_maintenance(verbs: Verbs) -> None:
    """`maintenance on`, `off` and `status`; alone it is the last one."""
    does = "have other nodes serve for a while, also if this one is restarted; alone: tell whether it is on"
    maintenance = _verb(verbs, "maintenance", does, orders.maintenance)
    maintenance.set_defaults(file=None)
    words = maintenance.add_subparsers(metavar="on|off|status")
    on = _add_word(words, "on", "begin; a second time: another end and another reason", orders.maintenance_on)
    on.add_argument("--for", required=True, metavar="TIME", dest="duration", help="30s, 30m, 2h, 1d; 7d at most")
    on.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log and the status")
    _add_word(words, "off", "end it now", orders.maintenance_off)
    _add_word(words, "status", "tell whether it is on, why and for how long", orders.maintenance)


def _add_word(words: Verbs, name: str, does: str, call: Call) -> argparse.ArgumentParser:
    parser = words.add_parser(name, help=does, epilog=epilog("maintenance"), formatter_class=HelpFormatter)
    parser.set_defaults(call=call)
    _add_node_file(parser)
    return parser


def _add_demote(verbs: Verbs) -> None:
    does = "let another node take over, until restore or the end of the process"
    parser = _of_the_running_node(verbs, "demote", does, orders.demote)
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why, for the log and the status")


def _add_restore(verbs: Verbs) -> None:
    does = "end a demotion, by demote or by an addon that seemed broken"
    _of_the_running_node(verbs, "restore", does, orders.restore)


def _add_preempt(verbs: Verbs) -> None:
    does = "let the better node wait no longer before it takes over"
    parser = _of_the_running_node(verbs, "preempt", does, orders.preempt)
    _add_group(parser, nargs="?", help="the id of one group; all if left out")


def _add_reload(verbs: Verbs) -> None:
    _of_the_running_node(verbs, "reload", "have the running node read its configuration again", orders.reload)


def _add_completion(verbs: Verbs) -> None:
    parser = _verb(verbs, "completion", "print the script that completes these words in a shell", completion.completion)
    parser.description = completion.DESCRIPTION
    parser.add_argument("shell", choices=SHELLS, help="for which shell")
