"""The metrics of a node as a whole."""

from __future__ import annotations

from datetime import datetime

from wsa_proxy.admin.document import Part
from wsa_proxy.admin.metric import Metric
from wsa_proxy.admin.metric import Samples
from wsa_proxy.admin.metric import number
from wsa_proxy.admin.metric import stands


def _build(document: Part) -> Samples:
    return [((document.text("node"), document.text("version")), 1.0)]


def _started(document: Part) -> Samples:
    """In Unix time."""
    try:
        return [((), datetime.fromisoformat(document.text("started_at")).timestamp())]
    except (ValueError, OverflowError):
        return []


def _test(name: str) -> Metric:
    tests = {
        "passed": "Whether this self-test of the proxy passed when it was made last (1) or failed (0): wsa-proxy status"
        " has the evidence.",
        "age_seconds": "Seconds since this self-test was made last: if they grow, the tests themselves stand still.",
        "duration_seconds": "Seconds that this self-test took: near its limit (health) the proxy is overloaded.",
    }
    key = name.replace("seconds", "s")

    def read(document: Part) -> Samples:
        return [((test.text("name"),), test.number(key)) for test in document.part("health").parts("tests")]

    return Metric(f"health_test_{name}", tests[name], read, ("test",))


NODE_METRICS = (
    Metric("build_info", "1, with the name of the node and its version as labels.", _build, ("node", "version")),
    Metric(
        "start_time_seconds",
        "Unix time in seconds at which this node started: if nobody ordered a restart, read the log from before it.",
        _started,
    ),
    Metric(
        "loop_lag_seconds",
        "Seconds by which mitmproxy's event loop was late, at most, within the last second: near"
        " wsa_proxy_stall_limit_seconds the node loses its virtual IPs; look for an addon that blocks, or for load.",
        number("loop_lag_s"),
    ),
    Metric(
        "stall_limit_seconds",
        "Seconds for which the loop may stand still before the guardian gives the virtual IPs up (stall_limit).",
        number("guardian", "stall_limit_s"),
    ),
    Metric(
        "guardian_up",
        "Whether the guardian lives (1): without it a killed proxy is only noticed by its silence; read the log.",
        stands("guardian", "pid"),
    ),
    Metric(
        "health_hard",
        "Whether the proxy cannot serve (1), and so takes part in no group: wsa-proxy status says why.",
        stands("health", "hard"),
    ),
    Metric(
        "health_soft",
        "Whether the proxy serves badly (1), and so any well node takes over: wsa-proxy status says why.",
        stands("health", "soft"),
    ),
    _test("passed"),
    _test("age_seconds"),
    _test("duration_seconds"),
    Metric(
        "maintenance",
        "Whether an operator has this node in maintenance (1): wsa-proxy maintenance off ends it.",
        stands("maintenance"),
    ),
    Metric(
        "maintenance_left_seconds",
        "Seconds until the maintenance ends by itself: wsa-proxy maintenance on --for gives it more.",
        number("maintenance", "left_s"),
    ),
    Metric(
        "demoted_by_operator",
        "Whether an operator has demoted this node (1), until wsa-proxy restore or a restart.",
        stands("demoted_by_operator"),
    ),
    Metric(
        "history_trouble",
        "Whether the history cannot be kept (1): look at the disk and the rights of state_dir.",
        stands("history", "trouble"),
    ),
    Metric(
        "history_events",
        "Number of events that the history has; it is bounded, nothing to do.",
        number("history", "events"),
    ),
    Metric(
        "notify_failed_total",
        "Number of calls of the notify command that failed: run it by hand as the proxy's user.",
        number("notify", "failed"),
    ),
    Metric("pac_served_total", "Number of times the PAC file was served.", number("pac", "served")),
)
"""In the order in which they are told."""
