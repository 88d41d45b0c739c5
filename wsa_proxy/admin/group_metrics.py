"""The metrics of each failover group. All of them have the labels ``group`` (its id) and ``hostname``.

What their other labels can be is bounded, whatever arrives from the network: the words of a fixed set, what stands in
this node's configuration, and the names of members whose reports authenticate.
"""

from __future__ import annotations

from wsa_proxy.admin.carry_metrics import CARRY_METRICS
from wsa_proxy.admin.document import Part
from wsa_proxy.admin.document import printable
from wsa_proxy.admin.member_metrics import MEMBER_METRICS
from wsa_proxy.admin.metric import STATES
from wsa_proxy.admin.metric import Labels
from wsa_proxy.admin.metric import Metric
from wsa_proxy.admin.metric import Samples
from wsa_proxy.admin.metric import by_name
from wsa_proxy.admin.metric import number
from wsa_proxy.admin.metric import one_each
from wsa_proxy.admin.metric import stands

GROUP_LABELS: Labels = ("group", "hostname")
MS_PER_S = 1000


def group_labels(group: Part) -> Labels:
    """The values of GROUP_LABELS."""
    return group.text("id"), group.text("hostname")


def _info(group: Part) -> Samples:
    virtual_ips = ", ".join(printable(each) for each in group.items("virtual_ip"))
    return [((virtual_ips, group.text("interface")), 1.0)]


def _state(group: Part) -> Samples:
    now = group.text("state")
    return [((state,), float(state == now)) for state in STATES] if now else []


def _held(group: Part) -> Samples:
    """Nothing is told of what the kernel could not be asked."""
    if not isinstance(group.data.get("virtual_ip_held"), list):
        return []
    held = {printable(each) for each in group.items("virtual_ip_held")}
    addresses = [printable(each).partition("/")[0] for each in group.items("virtual_ip")]
    return [((address,), float(address in held)) for address in addresses]


def _transitions(group: Part) -> Samples:
    counts = group.parts("transition_counts")
    return [((each.text("from"), each.text("to"), each.text("reason")), each.number("count")) for each in counts]


def _role_changes(group: Part) -> Samples:
    """From the first scrape on, with 0: what begins with 1 has no increase for Prometheus."""
    if not group.knows("transition_counts"):
        return []
    changes = [each for each in group.parts("transition_counts") if "master" in (each.text("from"), each.text("to"))]
    return [((), sum(each.number("count") or 0.0 for each in changes))]


def _last_outage(group: Part) -> Samples:
    outage = group.part("last_outage")
    bounds = {"min": outage.number("ms_min"), "max": outage.number("ms_max")}
    return [((bound,), None if ms is None else ms / MS_PER_S) for bound, ms in bounds.items()]


def _service_duration(group: Part) -> Samples:
    ms = group.part("service").number("ms")
    return [((), None if ms is None else ms / MS_PER_S)]


def _mac_refused(group: Part) -> Samples:
    network = group.part("virtual_mac").text("network")
    return [((), float(network == "refused"))] if network else []


GROUP_METRICS = (
    Metric("group_info", "1, with the virtual IPs and the interface as labels.", _info, ("virtual_ip", "interface")),
    Metric(
        "group_state",
        "1 for the state that this node is in, 0 for the others: over all nodes of a group one is master; init: it does"
        " not take part, see wsa_proxy_group_obstacle.",
        _state,
        ("state",),
    ),
    Metric("group_state_age_seconds", "Seconds for which this node has been in its state.", number("age_s")),
    Metric(
        "group_priority",
        "Priority from the configuration, 1 to 255: the highest healthy node serves.",
        number("priority"),
    ),
    Metric(
        "group_demotion",
        "Demotion of this node, 0 if it is well: any better node takes over; wsa_proxy_group_demoted_by has the names.",
        number("demotion"),
    ),
    Metric(
        "group_demoted_by",
        "1 for each thing that demotes this node in the group: wsa-proxy status has the reason.",
        one_each("demoted_by"),
        ("by",),
    ),
    Metric(
        "group_obstacle",
        "1 for each thing that keeps this node out of the group: wsa-proxy status has the reason.",
        one_each("obstacles"),
        ("obstacle",),
    ),
    Metric(
        "virtual_ip_held",
        "Whether the kernel of this node has the virtual IP (1), asked now: a master has all, others have none.",
        _held,
        ("address",),
    ),
    Metric(
        "lease_age_seconds",
        "Seconds since the lease of the virtual IPs was prolonged, on the node that has them: at 1 the kernel removes"
        " them; look at wsa_proxy_loop_lag_seconds.",
        number("lease_age_s"),
    ),
    Metric("advertisement_interval_seconds", "Seconds between two advertisements.", number("advertisement_interval_s")),
    Metric(
        "master_down_interval_seconds",
        "Seconds of silence after which this node takes a master for dead.",
        number("master_down_interval_s"),
    ),
    Metric("advertisements_sent_total", "Number of advertisements sent.", number("advertisements_sent")),
    Metric(
        "advertisements_received_total",
        "Number of advertisements heard and believed: on a backup they have to grow.",
        number("advertisements_received"),
    ),
    Metric(
        "advertisements_rejected_total",
        "Number of packets that were not believed, by the reason: wsa-proxy status says who sent the last, and what the"
        " reason means.",
        by_name("rejected"),
        ("reason",),
    ),
    Metric(
        "transitions_total",
        "Number of changes of state since this node started, by what was the cause: wsa-proxy history has each.",
        _transitions,
        ("from", "to", "reason"),
    ),
    Metric(
        "role_changes_total",
        "Number of times this node became master or ceased to be: many in a short time are flapping; preempt_delay.",
        _role_changes,
    ),
    Metric(
        "preemption_wait_seconds",
        "Seconds until this node preempts the inferior master that it hears: wsa-proxy preempt ends the wait.",
        number("preemption", "waits_s"),
    ),
    Metric(
        "last_outage_seconds",
        "Seconds that the last takeover or switch kept clients waiting, between these bounds: wsa-proxy history says"
        " how it was measured.",
        _last_outage,
        ("bound",),
    ),
    Metric("last_outage_age_seconds", "Seconds since the last takeover or switch.", number("last_outage", "age_s")),
    Metric(
        "service_up",
        "Whether the proxy at the virtual IP answers this node (1): if it answers none, clients have no proxy.",
        stands("service", "answers"),
    ),
    Metric(
        "service_duration_seconds", "Seconds that the proxy at the virtual IP took for its answer.", _service_duration
    ),
    Metric(
        "service_age_seconds",
        "Seconds since the virtual IP was probed last: if they grow, wsa_proxy_service_up is old.",
        number("service", "age_s"),
    ),
    Metric(
        "virtual_mac_refused",
        "Whether the network seems to refuse the virtual MAC (1): allow promiscuous mode, MAC changes and forged"
        " transmits there, or set mac: interface.",
        _mac_refused,
    ),
    *CARRY_METRICS,
    *MEMBER_METRICS,
)
"""In the order in which they are told."""
