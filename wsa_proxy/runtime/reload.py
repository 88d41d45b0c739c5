"""What another configuration changes: which groups go on untouched or with other settings, start anew, begin or end.

A group goes on in place, as what it is and with all its connections, while the others can still take it for the same
one: same id, addresses, interface and port. Whatever is not known to be harmless ends it in order and starts it anew.
What is told of it is in the operator's words, and never says a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import fields
from enum import Enum

from wsa_proxy.net.ports import Address
from wsa_proxy.settings import AdminSettings
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits
from wsa_proxy.settings import PacSettings
from wsa_proxy.settings import Settings
from wsa_proxy.settings import place_text

NOTHING = "nothing has changed"


class Fate(Enum):
    """What becomes of a group."""

    UNTOUCHED = "untouched"
    CHANGED = "changed in place"
    RESTARTED = "starts anew"
    BEGUN = "begins"
    ENDED = "ends"


@dataclass(frozen=True, slots=True)
class Plan:
    """From the settings in force to the new ones."""

    settings: Settings
    """The new ones."""
    fates: dict[int, Fate]
    """Of each group by its id, old and new ones."""
    lines: tuple[str, ...]
    """What the operator is told, one line for each change."""

    def ids(self, *fates: Fate) -> list[int]:
        """Of the groups with one of these fates, in order."""
        return [vhid for vhid, fate in self.fates.items() if fate in fates]


IN_PLACE: dict[str, tuple[frozenset[str], Callable[[GroupSettings], str | None]]] = {
    "description": (frozenset({"description"}), lambda group: f'"{group.description}"'),
    "hostname": (frozenset({"hostname"}), lambda group: group.hostname),
    "priority": (frozenset({"priority"}), lambda group: str(group.priority)),
    "advertisement_interval": (
        frozenset({"advbase", "advskew"}),
        lambda group: f"{group.advertisement_interval_s:.3g} s",
    ),
    "shared_secret": (frozenset({"pass_phrases"}), lambda group: None),
    "security": (frozenset({"security"}), lambda group: ", ".join(group.security)),
    "members": (
        frozenset({"members"}),
        lambda group: f"port {group.members.port}, nodes {', '.join(group.members.nodes) or 'as heard'}",
    ),
    "preempt_delay": (frozenset({"preempt_delay_s"}), lambda group: f"{group.preempt_delay_s:g} s"),
    "preempt_delay_max": (frozenset({"preempt_delay_max_s"}), lambda group: f"{group.preempt_delay_max_s:g} s"),
}
"""The keys that a running group takes: which fields of its settings they are, and how a value is shown, if it may."""

PAC_SHOWN: dict[str, Callable[[PacSettings], str]] = {
    "groups": lambda pac: ", ".join(map(str, pac.groups)) or "all",
    "share": lambda pac: pac.share,
    "direct": lambda pac: "true" if pac.direct else "false",
    "bypass": lambda pac: ", ".join([*pac.bypass_names, *map(str, pac.bypass_networks)]) or "none",
}


def make_plan(present: Settings, new: Settings) -> Plan:
    """Compare; neither of them is changed, and nothing is done."""
    before = {group.vhid: group for group in present.groups}
    after = {group.vhid: group for group in new.groups}
    fates: dict[int, Fate] = {}
    lines = [*_top_lines(present, new)]
    for vhid in sorted(before.keys() | after.keys()):
        if vhid not in after:
            fates[vhid] = Fate.ENDED
            lines.append(f"group {vhid} ends")
        elif vhid not in before:
            fates[vhid] = Fate.BEGUN
            lines.append(f"group {vhid} begins: {_addresses_text(after[vhid])} on {after[vhid].interface}")
        else:
            fates[vhid], told = _compare(before[vhid], after[vhid])
            lines += told
            if fates[vhid] is Fate.UNTOUCHED and _of_all_groups(present) != _of_all_groups(new):
                fates[vhid] = Fate.CHANGED
    return Plan(new, fates, tuple(lines) or (NOTHING,))


def addresses_of(groups: Collection[GroupSettings]) -> frozenset[Address]:
    """Their virtual addresses."""
    return frozenset(address for group in groups for address in group.addresses)


def _of_all_groups(settings: Settings) -> tuple[object, ...]:
    return settings.preempt, settings.clock_tolerance_s


def _top_lines(present: Settings, new: Settings) -> Iterator[str]:
    words = {True: "preemptive", False: "non-preemptive"}
    if present.preempt != new.preempt:
        yield f"failover_handling: {words[present.preempt]} -> {words[new.preempt]}"
    if present.clock_tolerance_s != new.clock_tolerance_s:
        yield f"clock_tolerance: {present.clock_tolerance_s:g} s -> {new.clock_tolerance_s:g} s"
    if present.stall_limit_s != new.stall_limit_s:
        yield f"stall_limit: {_seconds(present.stall_limit_s)} -> {_seconds(new.stall_limit_s)}"
    if present.drain_timeout_s != new.drain_timeout_s:
        yield f"drain_timeout: {present.drain_timeout_s:g} s -> {new.drain_timeout_s:g} s"
    if present.notify[:1] != new.notify[:1]:
        yield f"notify: {_program(present.notify)} -> {_program(new.notify)}"
    elif present.notify != new.notify:
        yield "notify: other arguments"  # a token may be among them
    yield from _health_lines(present.health, new.health)
    yield from _pac_lines(present.pac, new.pac)
    yield from _admin_lines(present.admin, new.admin)


def _health_lines(present: HealthSettings, new: HealthSettings) -> Iterator[str]:
    if present.upstream != new.upstream:
        yield f"health.upstream: {present.upstream or 'none'} -> {new.upstream or 'none'}"
    for field in fields(HealthSettings):
        old, now = getattr(present, field.name), getattr(new, field.name)
        if not isinstance(old, Limits):
            continue
        test = field.name.removesuffix("_limits")
        for key in ("limit", "rise", "fall"):
            if getattr(old, key) != getattr(now, key):
                yield f"health.tests.{test}.{key}: {getattr(old, key):g} -> {getattr(now, key):g}"


def _pac_lines(present: PacSettings | None, new: PacSettings | None) -> Iterator[str]:
    if present is None or new is None:
        if present != new:
            yield f"pac: {'off' if present is None else 'on'} -> {'off' if new is None else 'on'}"
        return
    for key, show in PAC_SHOWN.items():
        if show(present) != show(new):
            yield f"pac.{key}: {show(present)} -> {show(new)}"


def _admin_lines(present: AdminSettings | None, new: AdminSettings | None) -> Iterator[str]:
    """Where the page is; a password is never told."""
    old, now = (place_text(each.host, each.port) if each else "off" for each in (present, new))
    if old != now:
        yield f"admin.listen: {old} -> {now}"
    if present and new and present.password != new.password:
        yield "admin.password has changed"


def pac_text(pac: PacSettings | None) -> str:
    """The whole key in one line, as the nodes compare it; empty when it is off."""
    return "" if pac is None else ", ".join(f"{key} {show(pac)}" for key, show in PAC_SHOWN.items())


def _program(command: tuple[str, ...]) -> str:
    return command[0] if command else "nobody"


def _seconds(value: float | None) -> str:
    return "by the intervals" if value is None else f"{value:g} s"


def _compare(before: GroupSettings, after: GroupSettings) -> tuple[Fate, list[str]]:
    changed = {
        field.name for field in fields(GroupSettings) if getattr(before, field.name) != getattr(after, field.name)
    }
    told = [*_in_place_lines(before, after, changed)]
    changed -= {name for names, _ in IN_PLACE.values() for name in names}
    if _is_another_secret(before, after):
        changed.add("pass_phrases")
    # The order of the addresses and their prefixes are words of the file: nobody on the LAN sees them.
    if addresses_of([before]) == addresses_of([after]):
        changed.discard("virtual_ips")
    if not changed:
        return (Fate.CHANGED if before != after else Fate.UNTOUCHED), told
    restart = [*_restart_lines(before, after, changed)]
    return Fate.RESTARTED, [*told, f"group {before.vhid} starts anew: {', '.join(restart)}"]


def _is_another_secret(before: GroupSettings, after: GroupSettings) -> bool:
    """Nothing of the members that have the old ones can be believed any more. In place, a backup would take their
    silence for the master's death, and a master would stay one beside the one that follows it."""
    old, new = set(before.pass_phrases), set(after.pass_phrases)
    return old != new and not old & new


def _in_place_lines(before: GroupSettings, after: GroupSettings, changed: set[str]) -> Iterator[str]:
    for key, (names, show) in IN_PLACE.items():
        old, new = show(before), show(after)
        # Below one second the priority is a part of advskew: that is no other interval.
        if names & changed and (old is None or old != new):
            yield f"group {before.vhid}: {key} {'has changed' if old is None else f'{old} -> {new}'}"


def _restart_lines(before: GroupSettings, after: GroupSettings, changed: set[str]) -> Iterator[str]:
    for name in sorted(changed):
        if name == "virtual_ips":
            yield f"virtual_ip {_addresses_text(before)} -> {_addresses_text(after)}"
        elif name == "peers":
            yield f"peers {_peers_text(before)} -> {_peers_text(after)}"
        elif name == "pass_phrases":
            yield "no shared_secret of before is left"
        elif name == "virtual_mac":
            yield f"mac {_mac_text(before)} -> {_mac_text(after)}"
        else:
            yield f"{name} {getattr(before, name)} -> {getattr(after, name)}"


def _peers_text(group: GroupSettings) -> str:
    return ", ".join(map(str, group.peers)) or "multicast"


def _mac_text(group: GroupSettings) -> str:
    return "virtual" if group.virtual_mac else "interface"


def _addresses_text(group: GroupSettings) -> str:
    return ", ".join(map(str, group.virtual_ips))
