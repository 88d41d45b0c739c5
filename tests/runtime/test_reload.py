"""What another configuration means for each group, and the words in which the operator is told."""

from __future__ import annotations

from dataclasses import fields
from dataclasses import replace
from ipaddress import ip_address
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.runtime.reload import IN_PLACE
from wsa_proxy.runtime.reload import Fate
from wsa_proxy.runtime.reload import addresses_of
from wsa_proxy.runtime.reload import make_plan
from wsa_proxy.settings import AdminSettings
from wsa_proxy.settings import GroupSettings
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits
from wsa_proxy.settings import PacSettings
from wsa_proxy.settings import Settings

VIP, OTHER = ip_interface("10.0.0.3/24"), ip_interface("10.0.0.4/24")
GROUP = GroupSettings(1, "", "proxy", (VIP,), "eth0", 255, 1, 0, (b"old",), ("sealed",), True, 8080)
SECOND = replace(GROUP, vhid=2, virtual_ips=(ip_interface("10.0.1.3/24"),))
PRESENT = Settings(Path("node.yaml"), "a", True, Path("state"), (GROUP, SECOND))


def changed(**changes: Any) -> Settings:
    """Group 1 with other settings."""
    return replace(PRESENT, groups=(replace(GROUP, **changes), SECOND))


def test_the_same_file_changes_nothing() -> None:
    """Every group goes on untouched, and the operator is told so."""
    plan = make_plan(PRESENT, replace(PRESENT))
    assert plan.fates == {1: Fate.UNTOUCHED, 2: Fate.UNTOUCHED} and plan.lines == ("nothing has changed",)


@pytest.mark.parametrize(
    ("admin", "lines"),
    [
        (AdminSettings("::1", 8113), ("admin.listen: 127.0.0.1:8112 -> [::1]:8113",)),
        (AdminSettings(password="correct horse"), ("admin.password has changed",)),
        (None, ("admin.listen: 127.0.0.1:8112 -> off",)),
    ],
)
def test_the_page_is_no_matter_of_the_groups(admin: AdminSettings | None, lines: tuple[str, ...]) -> None:
    """Where it is, and that it has another password, which is not told; all groups go on untouched."""
    plan = make_plan(PRESENT, replace(PRESENT, admin=admin))
    assert plan.fates == {1: Fate.UNTOUCHED, 2: Fate.UNTOUCHED} and plan.lines == lines


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"description": "for all"}, 'group 1: description "" -> "for all"'),
        ({"hostname": "other"}, "group 1: hostname proxy -> other"),
        ({"priority": 200, "advskew": 55}, "group 1: priority 255 -> 200"),
        ({"advbase": 5}, "group 1: advertisement_interval 1 s -> 5 s"),
        ({"advbase": 0, "advskew": 13}, "group 1: advertisement_interval 1 s -> 0.0508 s"),
        ({"pass_phrases": (b"old", b"new")}, "group 1: shared_secret has changed"),
        ({"security": ("carp", "sealed")}, "group 1: security sealed -> carp, sealed"),
        ({"preempt_delay_s": 5.0}, "group 1: preempt_delay 0 s -> 5 s"),
        ({"preempt_delay_max_s": 5.0}, "group 1: preempt_delay_max 60 s -> 5 s"),
    ],
)
def test_what_a_running_group_takes(changes: dict[str, Any], line: str) -> None:
    """In place, and the other group is not touched."""
    plan = make_plan(PRESENT, changed(**changes))
    assert plan.fates == {1: Fate.CHANGED, 2: Fate.UNTOUCHED} and plan.lines == (line,)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"virtual_ips": (VIP, OTHER)}, "group 1 starts anew: virtual_ip 10.0.0.3/24 -> 10.0.0.3/24, 10.0.0.4/24"),
        ({"peers": (OTHER.ip,)}, "group 1 starts anew: peers multicast -> 10.0.0.4"),
        ({"virtual_mac": False}, "group 1 starts anew: mac virtual -> interface"),
        ({"interface": "eth1"}, "group 1 starts anew: interface eth0 -> eth1"),
        ({"port": 3128, "interface": "eth1"}, "group 1 starts anew: interface eth0 -> eth1, port 8080 -> 3128"),
    ],
)
def test_what_ends_a_group_and_starts_it_anew(changes: dict[str, Any], line: str) -> None:
    """The others could not take it for the same one."""
    plan = make_plan(PRESENT, changed(**changes))
    assert plan.fates == {1: Fate.RESTARTED, 2: Fate.UNTOUCHED} and plan.lines == (line,)


def test_a_setting_that_nobody_has_thought_of_starts_the_group_anew() -> None:
    """Each field is either known to be harmless, or the group's identity; a new one is not harmless by default."""
    harmless = {name for names, _ in IN_PLACE.values() for name in names}
    assert harmless < {field.name for field in fields(GroupSettings)}
    assert not harmless & {"vhid", "virtual_ips", "interface", "port"}


def test_the_spelling_of_the_addresses_is_no_change() -> None:
    """Their order and prefixes are not to be seen on the LAN."""
    present = changed(virtual_ips=(VIP, OTHER))
    new = changed(virtual_ips=(ip_interface("10.0.0.4/16"), ip_interface("10.0.0.3/16")))
    plan = make_plan(present, new)
    assert plan.fates[1] is Fate.CHANGED and plan.lines == ("nothing has changed",)


def test_groups_come_and_go() -> None:
    """By their id, wherever they stand in the file."""
    third = replace(SECOND, vhid=3, interface="eth1", virtual_ips=(OTHER,))
    plan = make_plan(PRESENT, replace(PRESENT, groups=(third, GROUP)))
    assert plan.fates == {1: Fate.UNTOUCHED, 2: Fate.ENDED, 3: Fate.BEGUN}
    assert plan.lines == ("group 2 ends", "group 3 begins: 10.0.0.4/24 on eth1")
    assert plan.ids(Fate.BEGUN, Fate.ENDED) == [2, 3]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"preempt": False}, "failover_handling: preemptive -> non-preemptive"),
        ({"clock_tolerance_s": 60.0}, "clock_tolerance: 3600 s -> 60 s"),
    ],
)
def test_what_stands_at_the_top_concerns_all_groups(changes: dict[str, Any], line: str) -> None:
    """In place."""
    plan = make_plan(PRESENT, replace(PRESENT, **changes))
    assert set(plan.fates.values()) == {Fate.CHANGED} and plan.lines == (line,)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"stall_limit_s": 0.5}, "stall_limit: by the intervals -> 0.5 s"),
        ({"drain_timeout_s": 5.0}, "drain_timeout: 60 s -> 5 s"),
        ({"notify": ("/bin/tell", "a token")}, "notify: nobody -> /bin/tell"),
        ({"health": HealthSettings(upstream="http://a.b/")}, "health.upstream: none -> http://a.b/"),
        ({"health": HealthSettings(get=Limits(2.0, 3, 2))}, "health.tests.get.rise: 2 -> 3"),
        ({"health": HealthSettings(connect=Limits(2.5, 2, 2))}, "health.tests.connect.limit: 2 -> 2.5"),
        ({"health": HealthSettings(upstream_limits=Limits(5.0, 2, 9))}, "health.tests.upstream.fall: 3 -> 9"),
        ({"health": HealthSettings(descriptors=Limits(64, 10, 5))}, "health.tests.descriptors.limit: 16 -> 64"),
        ({"health": HealthSettings(addons=Limits(2.0, 2, 6))}, "health.tests.addons.fall: 5 -> 6"),
        ({"health": HealthSettings(held=Limits(60.0, 2, 3))}, "health.tests.held.limit: 2 -> 60"),
        ({"pac": PacSettings()}, "pac: off -> on"),
    ],
)
def test_what_stands_at_the_top_and_concerns_no_group(changes: dict[str, Any], line: str) -> None:
    """It is told, and the groups do not notice."""
    plan = make_plan(PRESENT, replace(PRESENT, **changes))
    assert set(plan.fates.values()) == {Fate.UNTOUCHED} and plan.lines == (line,)


@pytest.mark.parametrize("pass_phrases", [(b"new",), (), (b"new", b"newer")])
def test_a_secret_that_no_other_member_can_have_yet_starts_the_group_anew(pass_phrases: tuple[bytes, ...]) -> None:
    """Only a step in which one of the old ones stays is no step away from the others."""
    plan = make_plan(PRESENT, changed(pass_phrases=pass_phrases))
    assert plan.fates[1] is Fate.RESTARTED
    assert plan.lines[1] == "group 1 starts anew: no shared_secret of before is left"
    for step in ((b"old", b"new"), (b"new", b"old")):
        assert make_plan(PRESENT, changed(pass_phrases=step)).fates[1] is Fate.CHANGED


def test_no_line_tells_the_arguments_of_notify() -> None:
    """A token may be among them."""
    before, after = (replace(PRESENT, notify=("/bin/tell", token)) for token in ("s3cret", "t0ken"))
    assert make_plan(before, after).lines == ("notify: other arguments",)
    assert make_plan(after, PRESENT).lines == ("notify: /bin/tell -> nobody",)


def test_no_line_tells_a_secret() -> None:
    """They go into logs."""
    new = changed(pass_phrases=(b"swordfish", b"old"), interface="eth1")
    plan = make_plan(changed(pass_phrases=(b"mellon",)), new)
    assert len(plan.lines) == 2 and not any(word in line for word in ("swordfish", "mellon") for line in plan.lines)


def test_the_addresses_of_groups() -> None:
    """All of them, without prefixes."""
    assert addresses_of([GROUP, SECOND]) == {ip_address("10.0.0.3"), ip_address("10.0.1.3")}
