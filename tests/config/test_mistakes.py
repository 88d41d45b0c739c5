"""Whole stories of wrong configurations, beside the tables of each file: what people do at night, on a real kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import IPv4Interface
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import HOST
from tests.config.example import address
from tests.config.example import changed
from tests.config.example import interface
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.net.host import AddressFacts
from wsa_proxy.net.host import HostFacts

ROOT = Path(__file__).parents[2]
OTHER_GROUP = """\
  - id: 2
    hostname: second.example.com
    virtual_ip: 10.0.0.4/24
    priority: 100
    shared_secret: another-secret
"""


def keys_told(folder: Path, text: str | bytes, host: HostFacts = HOST) -> list[tuple[str, str]]:
    """(line, key) of each line that is told."""
    lines = (line.split(": ") for line in told(folder, text, host=host).splitlines())
    return [(parts[0], parts[1]) for parts in lines]


@pytest.mark.parametrize("valid_s", [2, 30, 60, 61, 86400])
def test_a_dhcp_address_is_the_hosts_own_to_its_last_second(tmp_path: Path, valid_s: int) -> None:
    """Ours have the prefix of a single host; one with the LAN's prefix would be lost to the host by acquiring it."""
    host = HostFacts((interface("eth0", address("10.0.0.1/24"), address("10.0.0.3/24", valid_s)),))
    assert told(tmp_path, GOOD, host=host) == (
        "7: groups[0].virtual_ip: 10.0.0.3/24: is already an address with a lease (DHCP) of eth0 on this host; a"
        " virtual IP belongs to the group alone: take a free address, or remove it there (ip address del 10.0.0.3/24"
        " dev eth0)"
    )


@pytest.mark.parametrize(("text", "held"), [("10.0.0.3/24", "10.0.0.3/32"), ("fd00:77::3/64", "fd00:77::3/128")])
def test_a_lease_of_a_single_host_is_ours(tmp_path: Path, text: str, held: str) -> None:
    """The live master finds nothing wrong with its file, in both IP versions."""
    host = HostFacts((interface("eth0", address("10.0.0.1/24"), address("fd00:77::1/64"), address(held, 2)),))
    assert told(tmp_path, changed("10.0.0.3/24", text), host=host) == ""


def test_the_virtual_ip_on_another_interface_for_good(tmp_path: Path) -> None:
    """A permanent address is told wherever it is, be it on the loopback interface or with the prefix of one host."""
    for name in ("lo", "eth5"):
        host = HostFacts((interface("eth0", address("10.0.0.1/24")), interface(name, address("10.0.0.3/32"))))
        assert f"is already a permanent address of {name} on this host" in told(tmp_path, GOOD, host=host)


def test_the_other_end_of_a_point_to_point_link_is_no_subnet(tmp_path: Path) -> None:
    """A tunnel's own address is not in the network that it leads to; that network is what counts."""
    tunnel = AddressFacts(IPv4Interface("10.9.0.1/30"), IPv4Network("10.9.1.0/30"))
    host = HostFacts((interface("eth0", tunnel),))
    assert loaded(tmp_path, changed("10.0.0.3/24", "10.9.1.2/30"), host=host).settings.groups[0].interface == "eth0"
    assert "no interface of this host is in its subnet" in told(
        tmp_path, changed("10.0.0.3/24", "10.9.0.2/30"), host=host
    )


def test_two_groups_share_an_interface_and_nothing_else(tmp_path: Path) -> None:
    """Two right groups are right together; each keeps its own values and its place in the file."""
    result = loaded(tmp_path, GOOD + OTHER_GROUP)
    assert [(group.vhid, group.interface, group.advskew) for group in result.settings.groups] == [
        (1, "eth0", 0),
        (2, "eth0", 155),
    ]
    assert result.lines == (6, 12)


def test_a_wrong_group_does_not_hide_the_next(tmp_path: Path) -> None:
    """Every group is judged, also behind one that is no group at all, and keeps its number."""
    text = GOOD.replace("priority: 255", "priority: no") + "  - nonsense\n" + OTHER_GROUP.replace("100", "256")
    assert keys_told(tmp_path, text) == [
        ("9", "groups[0].priority"),
        ("11", "groups[1]"),
        ("15", "groups[2].priority"),
    ]


def test_a_group_written_at_the_top(tmp_path: Path) -> None:
    """Whoever forgets 'groups:' is told so for each key, and that the list is missing."""
    assert keys_told(tmp_path, "id: 1\nhostname: a\nvirtual_ip: 10.0.0.3/24\npriority: 9\n") == [
        ("1", "id"),
        ("1", "groups"),
        ("2", "hostname"),
        ("3", "virtual_ip"),
        ("4", "priority"),
    ]


def test_a_forgotten_dash_between_two_groups(tmp_path: Path) -> None:
    """Two groups that became one: each key of the second is told with the line of the first."""
    text = GOOD + OTHER_GROUP.replace("  - id", "    id")
    assert keys_told(tmp_path, text) == [
        ("11", "groups[0].id"),
        ("12", "groups[0].hostname"),
        ("13", "groups[0].virtual_ip"),
        ("14", "groups[0].priority"),
        ("15", "groups[0].shared_secret"),
    ]


def test_the_same_address_in_two_spellings(tmp_path: Path) -> None:
    """fd00:77::3 and fd00:77:0:0::3 are one virtual IP."""
    assert told(tmp_path, changed("10.0.0.3/24", "[fd00:77::3/64, 'fd00:77:0:0::3/64']")) == (
        "7: groups[0].virtual_ip[1]: 'fd00:77:0:0::3/64': used twice, first on line 7;"
        " a virtual IP stands in one place only"
    )


def test_line_ends_of_windows(tmp_path: Path) -> None:
    """They change neither a value nor a line number."""
    assert loaded(tmp_path, GOOD.replace("\n", "\r\n")).settings.groups[0].pass_phrases == (b"twelve-bytes!",)
    assert keys_told(tmp_path, changed("priority: 255", "priority: x").replace("\n", "\r\n")) == [
        ("9", "groups[0].priority")
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_named_and_show_no_secret(tmp_path: Path, encoding: str) -> None:
    """A file that an editor saved in another encoding: where, and what to do."""
    text = told(tmp_path, changed("twelve-bytes!", "zwölf-hunter2").encode(encoding))
    assert text == f"{1 if encoding == 'utf-16' else 10}: is not UTF-8 text; save it as UTF-8"


def test_a_merge_conflict(tmp_path: Path) -> None:
    """The line where it begins, and no line of either side."""
    text = changed("    shared_secret: twelve-bytes!\n", "<<<<<<< HEAD\n    shared_secret: hunter2\n=======\n")
    assert told(tmp_path, text).startswith("10: not valid YAML: ")
    assert "hunter2" not in told(tmp_path, text)


@pytest.mark.parametrize("secret", ["{first: hunter2}", "[[hunter2]]", "[{a: hunter2}]", "hunter2: x", "'hunter2"])
@pytest.mark.parametrize("key", ["shared_secret", "Shared Secret", "auth_pass", "secrets", "password"])
def test_no_spelling_of_the_key_shows_the_secret(tmp_path: Path, key: str, secret: str) -> None:
    """Neither a wrong shape nor another product's key brings a secret into the text."""
    text = told(tmp_path, changed("shared_secret: twelve-bytes!", f"{key}: {secret}"))
    assert text and "hunter2" not in text


def test_the_secret_is_in_no_representation(tmp_path: Path) -> None:
    """A ConfigError in a traceback or a log has the lines that were told, and no more."""
    text = told(tmp_path, changed("twelve-bytes!", "hunter2hunter2hunter2").replace("priority: 255", "priority: 0"))
    assert [line.split(": ")[1] for line in text.splitlines()] == ["groups[0].priority", "groups[0].shared_secret"]
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("interface: auto", "interface: Auto", "; did you mean auto?"),
        ("interface: auto", "interface: eth0:1", "; did you mean eth0?"),
        ("interface: auto", "interface: ETH1", "; did you mean eth1?"),
        ("interface: auto", "interface: sixteen-letters-", "; a name has 15 characters at most"),
        ("id: 1", "Failover Group ID: 1", "unknown key; did you mean id?"),
        ("virtual_ip:", "Virtual IP Address and Netmask:", "unknown key; did you mean virtual_ip?"),
        ("node: a\n", "[failover]\nnode: a\n", "; every line is 'key: value', with no [section] or text around"),
    ],
)
def test_what_was_probably_meant_is_said(tmp_path: Path, old: str, new: str, words: str) -> None:
    """One line, and its end is the fix."""
    [line] = told(tmp_path, changed(old, new)).splitlines()
    assert line.endswith(words)


SCRIPT = """
ip link set lo up
ip link add eth0 type veth peer name other
ip link set eth0 up
ip link set other up
ip address add 10.0.0.1/24 dev eth0
ip address add {address} dev eth0 {lifetime}
exec {python} -c 'import sys; from wsa_proxy.cli import main; sys.exit(main(["check", "f.yaml"]))'
"""
LEASE = "valid_lft 30 preferred_lft 30"


@pytest.mark.parametrize(
    ("held", "lifetime", "status", "words"),
    [
        ("10.0.0.3/32", LEASE, 0, "no errors"),
        ("10.0.0.3/24", LEASE, 1, "is already an address with a lease (DHCP) of eth0"),
        ("10.0.0.3/32", "", 1, "is already a permanent address of eth0"),
        ("10.0.0.9/24", "", 0, "no errors"),
    ],
)
def test_check_on_a_real_kernel(tmp_path: Path, held: str, lifetime: str, status: int, words: str) -> None:
    """`wsa-proxy check` on a live master has nothing to say; an address that is the host's own is an error."""
    refusal = subprocess.run(["unshare", "-Urn", "true"], capture_output=True, text=True, timeout=10)
    if refusal.returncode:
        pytest.skip("no user namespaces: sysctl -w kernel.unprivileged_userns_clone=1 (or run as root)")
    (tmp_path / "f.yaml").write_text(GOOD)
    (tmp_path / "f.yaml").chmod(0o600)
    script = SCRIPT.format(address=held, lifetime=lifetime, python=sys.executable)
    result = subprocess.run(
        ["unshare", "-Urn", "sh", "-ec", script],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (result.returncode, result.stderr) == (status, "")
    assert words in result.stdout
    assert not (tmp_path / "state").exists()
