"""Reads the text of ``iptables-save`` and ``ip6tables-save`` into chains. What it does not know becomes undecided."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network

from wsa_proxy.doctor.nftables import number_of_protocol
from wsa_proxy.doctor.ruleset import Chain
from wsa_proxy.doctor.ruleset import Condition
from wsa_proxy.doctor.ruleset import Rule
from wsa_proxy.doctor.ruleset import Value
from wsa_proxy.doctor.ruleset import Verdict

_TABLES = ("raw", "mangle", "filter", "security")
"""nat rewrites, it does not decide."""
_HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "OUTPUT": "output", "POSTROUTING": "postrouting"}
_FIELDS = {"-p": "protocol", "--protocol": "protocol", "-s": "saddr", "--source": "saddr", "-d": "daddr"}
_FIELDS |= {"--destination": "daddr", "-i": "in", "--in-interface": "in", "-o": "out", "--out-interface": "out"}
_FIELDS |= {"--dport": "dport", "--destination-port": "dport", "--dports": "dport", "--sport": "sport"}
_FIELDS |= {"--state": "state", "--ctstate": "state", "--pkt-type": "pkttype", "--dst-type": "dst_type"}
_TARGETS = {"ACCEPT": Verdict.ACCEPT, "DROP": Verdict.DROP, "REJECT": Verdict.DROP, "RETURN": Verdict.RETURN}
_NO_VERDICT = {"LOG", "NFLOG", "MARK", "CONNMARK", "CT", "NOTRACK", "TOS", "DSCP", "TTL", "HL", "TCPMSS", "CHECKSUM"}
_WITHOUT_MEANING = {"--comment": 1, "-m": 1, "--match": 1, "--reject-with": 1, "--log-prefix": 1, "--log-level": 1}
"""Options that decide nothing, and how many words follow them. ``-m`` only loads what the options after it use."""


def read_saved(text: str, family: str) -> tuple[Chain, ...]:
    """``family`` is ip or ip6."""
    chains: dict[tuple[str, str], tuple[str, list[Rule]]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif line.startswith(":") and table in _TABLES:
            name, policy = line[1:].split()[:2]
            chains[table, name] = (policy.lower(), [])
        elif line.startswith("-A ") and table in _TABLES:
            with suppress(ValueError):  # a quotation mark without its other one: not of iptables-save's making
                _, name, *words = shlex.split(line)
                chains.setdefault((table, name), ("-", []))[1].append(_rule(words, line))
    own = {name for _, name in chains} - set(_HOOKS)
    return tuple(_chain(family, *place, policy, rules, own) for place, (policy, rules) in chains.items())


def _chain(family: str, table: str, name: str, policy: str, rules: list[Rule], own: set[str]) -> Chain:
    hook = "" if name in own else _HOOKS[name]
    return Chain(family, f"{table} (iptables)", name, tuple(rules), hook, "drop" if policy == "drop" else "accept")


def _rule(words: list[str], line: str) -> Rule:
    conditions: list[Condition] = []
    verdict, target = Verdict.NONE, ""
    reading = iter(words)
    negated = False
    for word in reading:
        if word == "!":
            negated = True
            continue
        if word in ("-j", "-g", "--jump", "--goto"):
            verdict, target = _target(next(reading, ""), word)
            # What follows are the target's own options.
            break
        if word in _FIELDS:
            conditions.append(_condition(_FIELDS[word], next(reading, ""), negated))
        elif word in _WITHOUT_MEANING:
            for _ in range(_WITHOUT_MEANING[word]):
                next(reading, "")
        else:
            conditions.append(Condition("", ()))
        negated = False
    return Rule(tuple(conditions), verdict, target, line)


def _target(name: str, word: str) -> tuple[Verdict, str]:
    if name in _TARGETS:
        return _TARGETS[name], ""
    if name in _NO_VERDICT:
        return Verdict.NONE, ""
    return (Verdict.GOTO if word in ("-g", "--goto") else Verdict.JUMP), name


def _condition(field: str, text: str, negated: bool) -> Condition:
    if field == "protocol" and text in ("all", "0"):
        return Condition(field, (range(256),), negated)
    texts = text.split(",") if field in ("dport", "sport", "state", "dst_type") else [text]
    values = [value for each in texts for value in _values(field, each)]
    return Condition(field, tuple(values), negated) if values else Condition("", ())


def _values(field: str, text: str) -> Iterator[Value]:
    with suppress(ValueError):
        match field:
            case "protocol":
                number = number_of_protocol(text)
                yield from () if number is None else (number,)
            case "saddr" | "daddr":
                yield ip_network(text, strict=False)
            case "in" | "out":
                yield text.removesuffix("+") + "*" if text.endswith("+") else text
            case "dport" | "sport":
                low, _, high = text.partition(":")
                yield range(int(low), int(high or low) + 1)
            case _:
                yield text.lower()
