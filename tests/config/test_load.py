from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import HOST
from tests.config.example import changed
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config import ConfigError
from wsa_proxy.config import load
from wsa_proxy.config import read_state_dir
from wsa_proxy.net import host as net_host

CONFIGS = Path(__file__).parents[2] / "configs"


def test_a_right_file(tmp_path: Path) -> None:
    """The example of this test becomes exactly the settings it describes."""
    settings = loaded(tmp_path, GOOD).settings
    [group] = settings.groups
    assert (settings.node, settings.preempt, settings.source) == ("a", True, Path("f.yaml"))
    assert (group.vhid, group.hostname, group.interface, group.priority) == (1, "proxy.example.com", "eth0", 255)
    assert (group.advbase, group.advskew, group.pass_phrases, group.port) == (1, 0, (b"twelve-bytes!",), 8080)


@pytest.mark.parametrize(
    ("line", "security"),
    [
        ("", ("sealed",)),
        ("    security: carp\n", ("carp",)),
        ("    security: sealed\n", ("sealed",)),
        ("    security: [carp, sealed]\n", ("carp", "sealed")),
    ],
)
def test_a_group_with_a_secret_is_sealed_unless_it_says_otherwise(
    tmp_path: Path, line: str, security: tuple[str, ...]
) -> None:
    """The first of the list signs, all are accepted."""
    assert loaded(tmp_path, GOOD + line).settings.groups[0].security == security


def test_a_group_without_a_secret_speaks_plain_carp(tmp_path: Path) -> None:
    """Anybody could seal."""
    text = "".join(line for line in GOOD.splitlines(keepends=True) if "secret" not in line)
    assert loaded(tmp_path, text).settings.groups[0].security == ("carp",)


def test_the_clock_tolerance_is_an_hour_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    """In seconds."""
    assert loaded(tmp_path, GOOD).settings.clock_tolerance_s == 3600
    assert loaded(tmp_path, GOOD + "clock_tolerance: 60\n").settings.clock_tolerance_s == 60
    assert "must be a number of seconds from 1 to 604800" in told(tmp_path, GOOD + "clock_tolerance: 0\n")


def test_the_stall_limit_is_no_longer_than_half_of_the_others_patience(tmp_path: Path) -> None:
    """Else two hold the address; None leaves it to the intervals."""
    assert loaded(tmp_path, GOOD).settings.stall_limit_s is None
    assert loaded(tmp_path, GOOD + "stall_limit: 0.25\n").settings.stall_limit_s == 0.25
    assert "must be a number of seconds from 0.02 to 1.5" in told(tmp_path, GOOD + "stall_limit: 2\n")
    below = GOOD + "    advertisement_interval: 0.25\nstall_limit: 0.4\n"
    assert "stall_limit: 0.4: is more than 0.375, half of the time after which a backup takes over" in told(
        tmp_path, below
    )


def test_how_long_a_stop_and_a_better_node_wait(tmp_path: Path) -> None:
    """A minute for the one, nothing for the other; the greatest is never less than where it begins."""
    usual = loaded(tmp_path, GOOD).settings
    assert usual.drain_timeout_s == 60
    assert (usual.groups[0].preempt_delay_s, usual.groups[0].preempt_delay_max_s) == (0, 60)
    other = loaded(tmp_path, GOOD + "    preempt_delay: 90\ndrain_timeout: 5\n").settings
    assert other.drain_timeout_s == 5
    assert (other.groups[0].preempt_delay_s, other.groups[0].preempt_delay_max_s) == (90, 90)


def test_a_delay_that_nobody_waits_for_is_told(tmp_path: Path) -> None:
    """Without preemption there is nothing to put off."""
    text = GOOD.replace("preemptive", "non-preemptive") + "    preempt_delay: 5\n"
    [warning] = [each for each in loaded(tmp_path, text).warnings if each.key == "groups[0].preempt_delay"]
    assert "has no effect with failover_handling: non-preemptive" in str(warning)


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    """Errors of the keys, between the groups, of the host and of the files come together, in the file's order."""
    text = """\
nodes: a
state_dir: f.yaml
groups:
  - id: 1
    hostname: proxy.example.com
    virtual_ip: [10.0.0.3/24, 10.0.0.1/24, 10.0.0.9]
    priority: 300
    shared_secret: hunter2hunter2hunter2
  - id: 1
    hostname: other.example.com
    virtual_ip: 10.0.0.3/24
    interface: eth1
    priority: 100
    advertisement_interval: 0.5
    shared_secret_file: none
"""
    assert told(tmp_path, text).splitlines() == [
        "1: nodes: unknown key; did you mean node?",
        "2: state_dir: f.yaml: is not a folder; name another",
        "6: groups[0].virtual_ip[2]: 10.0.0.9: must have a prefix; write 10.0.0.9/24",
        "6: groups[0].virtual_ip[1]: 10.0.0.1/24: is already a permanent address of eth0 on this host; a virtual IP"
        " belongs to the group alone: take a free address, or remove it there (ip address del 10.0.0.1/24 dev eth0)",
        "7: groups[0].priority: 300: must be a whole number from 1 to 255",
        "8: groups[0].shared_secret: has 21 bytes; CARP uses 19, and peers cut the rest silently;"
        " shorten it to 19 bytes on all nodes",
        "9: groups[1].id: 1: used twice, first on line 4; each group needs its own",
        "11: groups[1].virtual_ip: 10.0.0.3/24: used twice, first on line 6; a virtual IP stands in one place only",
        "12: groups[1].interface: eth1: you must choose an interface in the same subnet as the virtual IP address:"
        " 10.0.0.3/24 is not in a subnet of eth1 (192.168.7.1/24); in that subnet is eth0",
        "14: groups[1].advertisement_interval: 0.5: does not fit priority 100: with an interval of 0.5 s the lowest"
        " usable priority is 129; with priority 100 the interval must be at most 0.386 or a whole number of seconds",
        "15: groups[1].shared_secret_file: none: there is no file none; make it: install -m 600 /dev/null none,"
        " then write one secret",
    ]


def test_missing_keys_stand_with_their_group(tmp_path: Path) -> None:
    """A required key that is missing is told at the line where its group begins."""
    assert told(tmp_path, changed("    priority: 255\n", "")) == (
        "5: groups[0].priority: missing; it must be a whole number from 1 to 255"
    )


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    """Whatever is wrong with a file, no part of its secret is in the text."""
    lines = [
        "shared_secret: hunter2{}",
        "shared_secret:hunter2{}",
        "shared_secret: [hunter2, hunter2]",
        "secret: hunter2{}",
    ]
    lines += [
        f"shared_secret: {start}hunter2" for start in ("'", '"', "*", "&", "!", "@", "%", "|", ">", "{", "[", '"\\')
    ]
    lines += ["shared_secret = hunter2", "shared_secret: hunter2: x", "- hunter2", "id: shared_secret:hunter2"]
    for line in lines:
        for text in (GOOD.replace("shared_secret: twelve-bytes!", line), GOOD + f"    {line}\n", f"{line}\n"):
            try:
                loaded(tmp_path, text.replace("{}", "-that-is-too-long"))
            except ConfigError as error:
                shown = "\n".join(map(str, (error, *error.warnings)))
                assert "hunter" not in shown, shown


@pytest.mark.parametrize("node", ["a", "b"])
def test_sample_configurations_are_right(tmp_path: Path, node: str) -> None:
    """configs/node-*.yaml fit the example network; the only word about them is to choose an own secret."""
    text = (CONFIGS / f"node-{node}.yaml").read_text()
    own = dataclasses.replace(HOST, interfaces=HOST.interfaces[:2])
    result = loaded(tmp_path, text.replace("/var/lib/wsa-proxy ", "state "), host=own)
    [group] = result.settings.groups
    assert (result.settings.node, group.priority) == (node, 255 if node == "a" else 200)
    assert (str(group.virtual_ips[0]), group.vhid, group.port) == ("10.0.0.3/24", 1, 8080)
    assert [warning.text for warning in result.warnings] == [
        "is the sample that everybody knows; choose one of your own"
    ]


def test_sample_configurations_are_twins_with_comments() -> None:
    """They differ in node and priority only, and each line says what it is for."""
    lines = [(CONFIGS / f"node-{node}.yaml").read_text().splitlines() for node in "ab"]
    differing = [one.split(":")[0].strip() for one, two in zip(*lines, strict=True) if one != two and one[0] != "#"]
    assert differing == ["node", "priority"]
    assert all("#" in line for line in lines[0] if line)


def test_loads_inside_a_running_loop(tmp_path: Path) -> None:
    """mitmproxy reads the configuration in a synchronous hook of its running loop, with the host's real facts."""
    (tmp_path / "f.yaml").write_text(GOOD.replace("10.0.0.3/24", "203.0.113.77/32"))

    async def hook() -> None:
        load(tmp_path / "f.yaml")

    with pytest.raises(ConfigError, match=r"203\.0\.113\.77/32: no interface of this host is in its subnet"):
        asyncio.run(hook())


def test_unreadable_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel tells nothing about interfaces, that is the error."""

    def refuse(*_: object) -> list[object]:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(net_host, "_dump", refuse)
    (tmp_path / "f.yaml").write_text(GOOD)
    with pytest.raises(ConfigError, match=r"f\.yaml:1: the interfaces of this host cannot be read: .*not permitted"):
        load(Path("f.yaml"))


def test_state_dir_of_a_wrong_file(tmp_path: Path) -> None:
    """Who only wants to ask the running node needs no more of the file than where the node is."""
    (tmp_path / "f.yaml").write_text(changed("priority: 255", "priority: 300"))
    assert read_state_dir(Path("f.yaml")) == tmp_path / "state"


def test_what_a_running_node_cannot_change_is_told_with_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder and its name are settled at its start; what is right beside them is not taken either."""
    running = loaded(tmp_path, GOOD).settings
    assert load(Path("f.yaml"), host=HOST, running=running).settings == running
    text = GOOD.replace("node: a", "node: b").replace("state_dir: state", "state_dir: .").replace("255", "300")
    Path("f.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load(Path("f.yaml"), host=HOST, running=running)
    assert str(refused.value).splitlines() == [
        "f.yaml:1: node: b: the running node is a; a change of it takes a restart of the node",
        f"f.yaml:3: state_dir: .: the running node uses {tmp_path / 'state'};"
        " a change of it takes a restart of the node",
        "f.yaml:9: groups[0].priority: 300: must be a whole number from 1 to 255",
    ]
    monkeypatch.setattr("socket.gethostname", lambda: "c")
    Path("f.yaml").write_text(GOOD.replace("node: a\n", ""))
    with pytest.raises(ConfigError, match="node: the running node is a; a change"):
        load(Path("f.yaml"), host=HOST, running=running)


def test_a_text_is_judged_before_it_is_in_the_file(tmp_path: Path) -> None:
    """With the file's name and the folder's secrets, as a reload would; the file itself stays."""
    loaded(tmp_path, GOOD)
    text = changed("priority: 255", "priority: 256") + "drain_timeout: x\n"
    with pytest.raises(ConfigError) as caught:
        load(Path("f.yaml"), text=text, host=HOST)
    assert [str(problem) for problem in caught.value.problems] == [
        "f.yaml:9: groups[0].priority: 256: must be a whole number from 1 to 255",
        "f.yaml:11: drain_timeout: x: must be a number of seconds from 0 to 3600",
    ]
    other = load(Path("f.yaml"), text=changed("priority: 255", "priority: 5"), host=HOST)
    assert other.settings.groups[0].priority == 5
    assert load(Path("f.yaml"), host=HOST).settings.groups[0].priority == 255
    with pytest.raises(ConfigError, match="has 1048577 bytes; a configuration has 1048576 at most"):
        load(Path("f.yaml"), text=GOOD + "#" * (2**20 + 1 - len(GOOD)), host=HOST)
