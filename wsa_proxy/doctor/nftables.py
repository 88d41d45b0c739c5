"""Reads ``nft --json list ruleset`` (libnftables-json(5)) into chains. What it does not know becomes undecided."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Condition
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Value
from wsa_proxy.doctor.ruleset import Verdict

TEXT_CHARACTERS_MAX = 160
FAMILIES = ("ip", "ip6", "inet", "netdev")
FILTERS = ("filter", "route")
"""Types of base chains whose verdicts decide; nat rewrites."""

PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "ipv6-icmp": 58, "icmpv6": 58}
PROTOCOLS |= {"vrrp": 112, "carp": 112, "sctp": 132}
_VERSIONS = {"ip": 4, "ipv4": 4, "ip6": 6, "ipv6": 6}
_VERDICTS = {"accept": Verdict.ACCEPT, "drop": Verdict.DROP, "reject": Verdict.DROP, "return": Verdict.RETURN}
_VERDICTS |= {"continue": Verdict.NONE, "jump": Verdict.JUMP, "goto": Verdict.GOTO, "queue": Verdict.UNKNOWN}
_NO_VERDICT = {"counter", "log", "comment", "mangle", "notrack", "ct helper", "flow", "dup", "meter", "quota"}
_META = {"l4proto": "protocol", "nfproto": "version", "protocol": "version", "pkttype": "pkttype"}
_META |= {"iifname": "in", "iif": "in", "oifname": "out", "oif": "out"}
_CT = {"state": "state", "status": "translated"}
_TRANSLATED = ("dnat", "snat")
_PAYLOAD = {("ip", "protocol"): "protocol", ("ip6", "nexthdr"): "protocol"}
_PAYLOAD |= {("ip", "saddr"): "saddr", ("ip6", "saddr"): "saddr", ("ip", "daddr"): "daddr", ("ip6", "daddr"): "daddr"}
_PAYLOAD |= {(kind, port): port for kind in ("udp", "tcp", "th") for port in ("dport", "sport")}
_IMPLIED = {"ip": ("version", 4), "ip6": ("version", 6), "udp": ("protocol", 17), "tcp": ("protocol", 6)}
_IMPLIED |= {"icmp": ("protocol", 1), "icmpv6": ("protocol", 58), "sctp": ("protocol", 132)}
_UNDECIDED = Condition("", ())
_LISTED = re.compile(r"^table netdev (?P<table>\S+) \{|^\tchain (?P<chain>\S+) \{|\bdevices? (?P<devices>.*?) priority")


def read_ruleset(text: str, listed: str = "") -> tuple[Chain, ...]:
    """All chains that may decide on an IP packet of this host. Raises ValueError when it is no ruleset.

    ``listed``: what ``nft list chains netdev`` prints; the JSON of nft 1.0.6 has no interfaces.
    """
    try:
        items: Sequence[Mapping[str, Any]] = json.loads(text)["nftables"]
        sets = {_key(each[kind]): each[kind] for each in items for kind in ("set", "map") if kind in each}
        dormant = {_key(each["table"])[:2] for each in items if "dormant" in str(each.get("table", {}).get("flags"))}
        rules: dict[tuple[str, ...], list[Rule]] = {}
        for each in items:
            if "rule" in each:
                rule = each["rule"]
                place = (rule["family"], rule["table"], rule["chain"])
                rules.setdefault(place, []).extend(_rules(rule, sets))
        chains = [each["chain"] for each in items if "chain" in each and each["chain"]["family"] in FAMILIES]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"unexpected JSON: {error!r}") from error
    devices = _devices(listed)
    return tuple(
        _chain(each, rules.get(_key(each), []), devices.get((each["table"], each["name"]), ()))
        for each in chains
        if _key(each)[:2] not in dormant
    )


def _devices(listed: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """By table and chain of netdev."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    table = chain = ""
    for line in listed.splitlines():
        for match in _LISTED.finditer(line):
            if match["table"]:
                table = match["table"]
            elif match["chain"]:
                chain = match["chain"]
            else:
                found[table, chain] = tuple(re.findall(r"[^\s\"={},]+", match["devices"]))
    return found


def _key(item: Mapping[str, Any]) -> tuple[str, ...]:
    return (item["family"], item.get("table", item["name"]), item["name"])


def _chain(item: Mapping[str, Any], rules: Sequence[Rule], devices: tuple[str, ...]) -> Chain:
    device = item.get("dev", devices)
    return Chain(
        family=item["family"],
        table=item["table"],
        name=item["name"],
        rules=tuple(rules),
        hook=item.get("hook", "") if item.get("type") in FILTERS else "",
        policy=item.get("policy", "accept"),
        devices=(device,) if isinstance(device, str) else tuple(device),
    )


def _rules(item: Mapping[str, Any], sets: Mapping[tuple[str, ...], Any]) -> Iterator[Rule]:
    """One rule; several for a verdict map, one for each of its elements."""
    conditions: list[Condition] = []
    words: list[str] = []
    place = (item["family"], item["table"])
    for expression in item["expr"]:
        ((kind, body),) = expression.items()
        words.append(_words(kind, body))
        text = f"{' '.join(words)}"[:TEXT_CHARACTERS_MAX] + f" (handle {item.get('handle', '?')})"
        if kind == "match":
            conditions += _conditions(body, place, sets)
        elif kind == "vmap":
            yield from _map(body, conditions, text, place, sets)
            return
        elif kind in _VERDICTS:
            target = body["target"] if kind in ("jump", "goto") else ""
            yield Rule(tuple(conditions), _VERDICTS[kind], target, text)
            return
        elif kind == "limit":
            conditions.append(_UNDECIDED)
        elif kind not in _NO_VERDICT:
            # Another program's extension (xt), or a verdict of a newer nft: it may do anything.
            yield Rule((*conditions, _UNDECIDED), Verdict.UNKNOWN, "", text)
            return


def _map(
    body: Mapping[str, Any],
    conditions: Sequence[Condition],
    text: str,
    place: tuple[str, str],
    sets: Mapping[tuple[str, ...], Any],
) -> Iterator[Rule]:
    elements = _elements(body["data"], place, sets)
    if elements is None:
        yield Rule((*conditions, _UNDECIDED), Verdict.UNKNOWN, "", text)
        return
    for key, verdict in elements:
        ((kind, target),) = verdict.items() if isinstance(verdict, dict) else ((verdict, None),)
        matched = _conditions({"op": "==", "left": body["key"], "right": key}, place, sets)
        found = _VERDICTS.get(kind, Verdict.UNKNOWN)
        yield Rule((*conditions, *matched), found, target["target"] if target else "", f"{text}: {key} {kind}")


def _elements(right: Any, place: tuple[str, str], sets: Mapping[tuple[str, ...], Any]) -> list[Any] | None:
    """Of an anonymous or a named set or map; None when they change by themselves, or are not known."""
    if isinstance(right, str) and right.startswith("@"):
        named = sets.get((*place, right[1:]))
        if named is None or {"timeout", "dynamic"} & set(named.get("flags", ())):
            return None
        return list(named.get("elem", ()))
    if isinstance(right, dict) and "set" in right:
        return list(right["set"])
    return None


def _conditions(
    body: Mapping[str, Any], place: tuple[str, str], sets: Mapping[tuple[str, ...], Any]
) -> list[Condition]:
    """One match, and what it silently asks for: ``udp dport`` asks for UDP."""
    left, right, op = body["left"], body["right"], body["op"]
    field, implied = _field(left)
    if field == "" or op not in ("==", "!=", "in"):
        return [*implied, _UNDECIDED]
    listed = _elements(right, place, sets)
    if listed is None:
        if isinstance(right, str) and right.startswith("@"):
            return [*implied, _UNDECIDED]
        listed = right if isinstance(right, list) else [right]
    values = tuple(value for each in listed if (value := _value(field, each)) is not None)
    if len(values) < len(listed):
        return [*implied, _UNDECIDED]
    return [*implied, Condition(field, values, negated=op == "!=")]


def _field(left: Any) -> tuple[str, list[Condition]]:
    if not isinstance(left, dict):
        return "", []
    if "meta" in left:
        return _META.get(left["meta"]["key"], ""), []
    if "ct" in left:
        return _CT.get(left["ct"]["key"], ""), []
    if "fib" in left:
        asked = (left["fib"].get("flags"), left["fib"].get("result"))
        return ("dst_type" if asked in ((["daddr"], "type"), ("daddr", "type")) else ""), []
    if "payload" in left:
        protocol, name = left["payload"].get("protocol", ""), left["payload"].get("field", "")
        implied = [Condition(*_as_tuple(_IMPLIED[protocol]))] if protocol in _IMPLIED else []
        return _PAYLOAD.get((protocol, name), ""), implied
    return "", []


def _as_tuple(pair: tuple[str, int]) -> tuple[str, tuple[Value, ...]]:
    return pair[0], (pair[1],)


def _value(field: str, right: Any) -> Value | None:
    """One right side, as Packet has it; None when it is not understood."""
    if isinstance(right, dict) and "elem" in right:  # an element with a comment, counter or timeout
        right = right["elem"].get("val")
    if isinstance(right, dict) and "range" in right:
        low, high = (_value(field, each) for each in right["range"])
        return range(low, high + 1) if isinstance(low, int) and isinstance(high, int) else None
    if field in ("saddr", "daddr"):
        with suppress(ValueError, KeyError, TypeError):
            if isinstance(right, dict):
                return ip_network(f"{right['prefix']['addr']}/{right['prefix']['len']}", strict=False)
            return ip_network(right)
        return None
    if field == "version":
        return _VERSIONS.get(str(right), 0)  # 0: ARP and others, which no packet of ours is
    if field == "protocol":
        return number_of_protocol(right)
    if field == "translated" and right not in _TRANSLATED:
        return None
    return right if isinstance(right, int | str) else None


def number_of_protocol(name: object) -> int | None:
    """By number or by a name of /etc/protocols."""
    if isinstance(name, int):
        return name
    text = str(name).lower()
    if text.isdigit():
        return int(text)
    with suppress(OSError):
        return PROTOCOLS.get(text) or socket.getprotobyname(text)
    return None


def _words(kind: str, body: Any) -> str:
    """An expression, nearly as nft prints it."""
    if kind == "match":
        op = "" if body["op"] in ("==", "in") else f"{body['op']} "
        return f"{_left(body['left'])} {op}{_right(body['right'])}"
    if kind in ("jump", "goto"):
        return f"{kind} {body['target']}"
    return f"{_left(body['key'])} vmap" if kind == "vmap" else kind


def _left(left: Any) -> str:
    if isinstance(left, dict):
        if "meta" in left:
            return str(left["meta"]["key"])
        if "ct" in left:
            return f"ct {left['ct']['key']}"
        if "payload" in left and "field" in left["payload"]:
            return f"{left['payload']['protocol']} {left['payload']['field']}"
    return json.dumps(left)


def _right(right: Any) -> str:
    if isinstance(right, list):
        return ",".join(map(_right, right))
    if isinstance(right, dict) and "set" in right:
        return "{ " + ", ".join(map(_right, right["set"])) + " }"
    if isinstance(right, dict) and "prefix" in right:
        return f"{right['prefix']['addr']}/{right['prefix']['len']}"
    if isinstance(right, dict) and "range" in right:
        return "-".join(map(str, right["range"]))
    return str(right)
