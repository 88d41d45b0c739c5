"""For each alert of configs/prometheus-rules.yaml what makes it fire, and what is near to that and must not."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field

MINUTES = 600
"""Of each series, one value a minute."""


def one(name: str, values: str, instance: str = "a:8112", **labels: str) -> tuple[str, str]:
    """A series of one node in promtool's notation; ``values`` as there, with ``*`` for so many times as are needed."""
    of_all = {"job": "wsa-proxy", "instance": instance} | labels
    text = ",".join(f'{label}="{value}"' for label, value in of_all.items())
    return f"{name}{{{text}}}", values.replace("*", f"x{MINUTES}")


def group(name: str, values: str, instance: str = "a:8112", **labels: str) -> tuple[str, str]:
    """The same of group 1."""
    return one(f"wsa_proxy_{name}", values, instance, group="1", hostname="proxy.example.com", **labels)


def node(name: str, values: str, **labels: str) -> tuple[str, str]:
    """The same of a node as a whole."""
    return one(f"wsa_proxy_{name}", values, **labels)


def rejected(reason: str, values: str) -> tuple[str, str]:
    return group("advertisements_rejected_total", values, reason=reason)


NODE = {"job": "wsa-proxy", "instance": "a:8112"}
GROUP = {"job": "wsa-proxy", "group": "1"}
BOTH = NODE | {"group": "1", "hostname": "proxy.example.com"}
A_MASTER = group("group_state", "1*", state="master")


@dataclass(frozen=True)
class Case:
    """``bad`` makes it fire with ``labels``, beside those of the rule; none of ``quiet`` does."""

    alert: str
    labels: dict[str, str]
    bad: list[tuple[str, str]]
    quiet: list[list[tuple[str, str]]]
    minutes: int = 20
    """After so many it is looked at."""
    severity: str = field(default="warning", kw_only=True)


CASES = [
    Case("WsaProxyNothingScraped", {}, [one("up", "1*")], [[node("build_info", "1*")]], severity="critical"),
    Case("WsaProxyNodeDown", NODE, [one("up", "0*")], [[one("up", "1*")], [("up{job='other'}", "0x600")]]),
    Case(
        "WsaProxyNoMaster",
        GROUP,
        [group("group_state", "0*", state="master"), group("group_state", "0*", "b:8112", state="master")],
        [[A_MASTER, group("group_state", "0*", "b:8112", state="master")]],
        severity="critical",
    ),
    Case(
        "WsaProxyTwoMasters",
        GROUP,
        [A_MASTER, group("group_state", "1*", "b:8112", state="master")],
        [[A_MASTER], [A_MASTER, group("group_state", "0x19 1 0*", "b:8112", state="master")]],
        severity="critical",
    ),
    Case(
        "WsaProxyVirtualIpNotHeld",
        BOTH | {"address": "10.0.0.3"},
        [A_MASTER, group("virtual_ip_held", "0*", address="10.0.0.3")],
        [
            [A_MASTER, group("virtual_ip_held", "1*", address="10.0.0.3")],
            [group("group_state", "0*", state="master"), group("virtual_ip_held", "0*", address="10.0.0.3")],
            [A_MASTER, group("virtual_ip_held", "0*", "b:8112", address="10.0.0.3")],
        ],
        severity="critical",
    ),
    Case(
        "WsaProxyServiceDown",
        GROUP,
        [group("service_up", "0*"), group("service_up", "0*", "b:8112")],
        [[group("service_up", "0*"), group("service_up", "1*", "b:8112")]],
        severity="critical",
    ),
    Case(
        "WsaProxyNoHealthyStandby",
        GROUP,
        [group("healthy_standbys", "0*"), node("maintenance", "0*")],
        [
            [group("healthy_standbys", "0*"), group("healthy_standbys", "1*", "b:8112")],
            [group("healthy_standbys", "0*"), node("maintenance", "1*")],
        ],
        severity="critical",
    ),
    Case("WsaProxyCannotServe", NODE, [node("health_hard", "1*")], [[node("health_hard", "0*")]]),
    Case(
        "WsaProxySelfTestFailing",
        NODE | {"test": "connect"},
        [node("health_test_passed", "0*", test="connect")],
        [[node("health_test_passed", "1*", test="connect")]],
    ),
    Case(
        "WsaProxyOutOfGroup",
        BOTH | {"obstacle": "link"},
        [group("group_obstacle", "1*", obstacle="link")],
        [[group("group_obstacle", "1*", obstacle="stop")], [group("group_obstacle", "1*", obstacle="proxy")]],
    ),
    Case("WsaProxyGuardianMissing", NODE, [node("guardian_up", "0*")], [[node("guardian_up", "1*")]]),
    Case("WsaProxyFindings", BOTH, [group("findings", "2*")], [[group("findings", "0*")]]),
    Case(
        "WsaProxyVirtualMacRefused", BOTH, [group("virtual_mac_refused", "1*")], [[group("virtual_mac_refused", "0*")]]
    ),
    Case("WsaProxyCannotSteer", BOTH, [group("cannot_steer", "1*")], [[group("cannot_steer", "0*")]]),
    Case(
        "WsaProxyFlapping",
        GROUP,
        [group("role_changes_total", "0x9 1+1*")],
        [[group("role_changes_total", "0x9 6*")], [group("role_changes_total", "900*")]],
    ),
    Case(
        "WsaProxyRestarting",
        NODE,
        [node("start_time_seconds", "1x4 2x4 3x4 4*")],
        [[node("start_time_seconds", "1x4 2x4 3*")]],
    ),
    Case(
        "WsaProxyOutageLong",
        BOTH | {"bound": "min"},
        [group("last_outage_seconds", "4*", bound="min"), group("last_outage_age_seconds", "0+60*")],
        [
            [group("last_outage_seconds", "3.2*", bound="min"), group("last_outage_age_seconds", "0+60*")],
            [group("last_outage_seconds", "4*", bound="max"), group("last_outage_age_seconds", "0+60*")],
            [group("last_outage_seconds", "4*", bound="min"), group("last_outage_age_seconds", "3600+60*")],
        ],
    ),
    Case(
        "WsaProxyLoopLag",
        NODE,
        [node("loop_lag_seconds", "0x17 0.2 0*"), node("stall_limit_seconds", "0.25*")],
        [
            [node("loop_lag_seconds", "0x17 0.4 0*"), node("stall_limit_seconds", "1*")],
            [node("loop_lag_seconds", "0x9 0.9 0*"), node("stall_limit_seconds", "1*")],
        ],
    ),
    Case(
        "WsaProxyLeaseOld",
        BOTH,
        [group("lease_age_seconds", "0.1x17 0.9 0.1*")],
        [[group("lease_age_seconds", "0.65*")], [group("lease_age_seconds", "0.1x9 0.9 0.1*")]],
    ),
    Case(
        "WsaProxyForged",
        BOTH,
        [rejected("rewritten", "0x15 1*")],
        [[rejected("rewritten", "7*")], [rejected("duplicate", "0+60*")]],
        severity="critical",
    ),
    Case(
        "WsaProxyReplayed",
        BOTH,
        [rejected("replay", "0x15 8*"), rejected("stale", "0x15 8*")],
        [[rejected("replay", "0x15 8*")], [rejected("replay", "0x4 80*")], [rejected("echo", "0+60*")]],
    ),
    Case(
        "WsaProxyOtherSecret",
        BOTH,
        [rejected("bad_secret", "0+60*")],
        [[rejected("bad_secret", "0x15 4*")], [rejected("other_vhid", "0+60*")]],
    ),
    Case(
        "WsaProxyOtherSpeaker",
        BOTH,
        [rejected("vrrp", "0+60*")],
        [[rejected("vrrp", "60*")], [rejected("echo", "0+9*")]],
    ),
    Case("WsaProxyMaintenanceLong", NODE, [node("maintenance", "1*")], [[node("maintenance", "1x300 0x9 1*")]], 500),
    Case(
        "WsaProxyDemotedLong",
        NODE,
        [node("demoted_by_operator", "0*"), group("switched_away", "1*")],
        [
            [node("demoted_by_operator", "1x300 0x9 1*"), group("switched_away", "0*")],
            [node("demoted_by_operator", "0*"), group("switched_away", "0*")],
        ],
        500,
    ),
    Case("WsaProxyHistoryTrouble", NODE, [node("history_trouble", "1*")], [[node("history_trouble", "0*")]]),
    Case(
        "WsaProxyNotifyFailing",
        NODE,
        [node("notify_failed_total", "0x9 1*")],
        [[node("notify_failed_total", "3*")], [node("notify_failed_total", "0*")]],
    ),
]
