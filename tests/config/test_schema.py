from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import Case
from tests.config.example import changed
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.admin import ADMIN_ALLOWED
from wsa_proxy.config.health import HEALTH_ALLOWED
from wsa_proxy.config.members import MEMBERS_ALLOWED
from wsa_proxy.config.pac import PAC_ALLOWED
from wsa_proxy.config.schema import ALLOWED
from wsa_proxy.config.schema import GROUP_KEYS
from wsa_proxy.config.schema import TOP_KEYS
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.schema import TopKeys

# What of the right configuration is replaced, by what, and the whole text that must follow.
CASES: list[Case] = [
    ("id: 1", "id: 300", "5: groups[0].id: 300: must be a whole number from 1 to 255"),
    ("id: 1", "id: 0", "5: groups[0].id: 0: must be a whole number from 1 to 255"),
    ("id: 1", "id: '1'", "5: groups[0].id: '1': must be a whole number from 1 to 255; write it without quotes"),
    ("id: 1", "id: 1.0", "5: groups[0].id: 1.0: must be a whole number from 1 to 255; write 1"),
    ("id: 1", "id: true", "5: groups[0].id: true: must be a whole number from 1 to 255"),
    ("id: 1", "id:", "5: groups[0].id: has no value; it must be a whole number from 1 to 255"),
    ("id: 1", "id: [1]", "5: groups[0].id: must be a whole number from 1 to 255"),
    (
        "id: 1",
        "id: 99999999999999999999",
        "5: groups[0].id: 99999999999999999999: must be a whole number from 1 to 255",
    ),
    ("priority: 255", "priority: 256", "9: groups[0].priority: 256: must be a whole number from 1 to 255"),
    (
        "priority: 255",
        "priority: '200'",
        "9: groups[0].priority: '200': must be a whole number from 1 to 255; write it without quotes",
    ),
    ("priority: 255", "priority: high", "9: groups[0].priority: high: must be a whole number from 1 to 255"),
    ("priority: 255", "priority: yes", "9: groups[0].priority: yes: must be a whole number from 1 to 255"),
    ("priority: 255", "prioritty: 255", "9: groups[0].prioritty: unknown key; did you mean priority?"),
    (
        "10.0.0.3/24",
        "10.0.0.3/33",
        "7: groups[0].virtual_ip: 10.0.0.3/33: is not an address with a prefix, such as 10.0.0.3/24 or fd00:77::3/64",
    ),
    (
        "10.0.0.3/24",
        "10.0.0.256/24",
        (
            "7: groups[0].virtual_ip: 10.0.0.256/24: is not an address with a prefix, such as 10.0.0.3/24 or "
            "fd00:77::3/64"
        ),
    ),
    (
        "10.0.0.3/24",
        "10.3",
        "7: groups[0].virtual_ip: 10.3: must be an address with its prefix such as 10.0.0.3/24, or a list of such",
    ),
    (
        "10.0.0.3/24",
        "[]",
        "7: groups[0].virtual_ip: must be an address with its prefix such as 10.0.0.3/24, or a list of such",
    ),
    (
        "10.0.0.3/24",
        "{a: b}",
        "7: groups[0].virtual_ip: must be an address with its prefix such as 10.0.0.3/24, or a list of such",
    ),
    (
        "10.0.0.3/24",
        "10.0.0.0/24",
        (
            "7: groups[0].virtual_ip: 10.0.0.0/24: is the address of the network 10.0.0.0/24 itself; use a free host "
            "address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "10.0.0.255/24",
        (
            "7: groups[0].virtual_ip: 10.0.0.255/24: is the broadcast address of 10.0.0.0/24; use a free host "
            "address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "224.0.0.18/24",
        "7: groups[0].virtual_ip: 224.0.0.18/24: is a multicast address; use a free host address of the LAN",
    ),
    (
        "10.0.0.3/24",
        "0.0.0.0/0",
        (
            "7: groups[0].virtual_ip: 0.0.0.0/0: is an address of 'this host', which nobody can connect to; use a "
            "free host address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "127.0.0.3/8",
        (
            "7: groups[0].virtual_ip: 127.0.0.3/8: is a loopback address, which no other host can connect to; use a "
            "free host address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "fd00:77::/64",
        (
            "7: groups[0].virtual_ip: fd00:77::/64: is the address of the network fd00:77::/64 itself; use a free "
            "host address of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "fd00:77::3%eth0/64",
        (
            "7: groups[0].virtual_ip: fd00:77::3%eth0/64: has a zone (%); leave it out, the key interface chooses "
            "the interface"
        ),
    ),
    (
        "10.0.0.3/24",
        "::ffff:10.0.0.3/120",
        (
            "7: groups[0].virtual_ip: ::ffff:10.0.0.3/120: is an IPv4 address in IPv6 form; use a free host address "
            "of the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "250.1.1.1/24",
        (
            "7: groups[0].virtual_ip: 250.1.1.1/24: is a reserved address (240.0.0.0/4); use a free host address of "
            "the LAN"
        ),
    ),
    (
        "10.0.0.3/24",
        "proxy",
        "7: groups[0].virtual_ip: proxy: is not an address with a prefix, such as 10.0.0.3/24 or fd00:77::3/64",
    ),
    (
        "10.0.0.3/24",
        "[10.0.0.3/24, 7, 10.0.0.4/99]",
        (
            "7: groups[0].virtual_ip[1]: 7: must be an address with its prefix such as 10.0.0.3/24, or a list of "
            "such\n"
            "7: groups[0].virtual_ip[2]: 10.0.0.4/99: is not an address with a prefix, such as 10.0.0.3/24 or "
            "fd00:77::3/64"
        ),
    ),
    ("node: a\n", "node: a\ngrups: []\n", "2: grups: unknown key; did you mean groups?"),
    ("node: a\n", "node: a\npriority: 5\n", "2: priority: is a key of a group; move it into one"),
    (
        "node: a\n",
        "node: a\ndrain_timeout: 3601\n",
        "2: drain_timeout: 3601: must be a number of seconds from 0 to 3600",
    ),
    ("node: a", "node: ''", "1: node: '': must be a name of 1 to 63 letters, digits, '.', '_' and '-'"),
    ("node: a", "node: a b", "1: node: a b: must be a name of 1 to 63 letters, digits, '.', '_' and '-'"),
    ("node: a", "node: 5", "1: node: 5: must be a name of 1 to 63 letters, digits, '.', '_' and '-'; put it in quotes"),
    (
        "handling: preemptive",
        "handling: premptive",
        "2: failover_handling: premptive: must be preemptive or non-preemptive; did you mean preemptive?",
    ),
    (
        "handling: preemptive",
        "handling: nonpreemptive",
        "2: failover_handling: nonpreemptive: must be preemptive or non-preemptive; did you mean non-preemptive?",
    ),
    ("handling: preemptive", "handling: true", "2: failover_handling: true: must be preemptive or non-preemptive"),
    ("handling: preemptive", "handling: xyz", "2: failover_handling: xyz: must be preemptive or non-preemptive"),
    (
        "proxy.example.com",
        "proxy example",
        "6: groups[0].hostname: proxy example: must be a host name such as proxy.example.com",
    ),
    (
        "proxy.example.com",
        "http://proxy",
        "6: groups[0].hostname: http://proxy: must be a host name such as proxy.example.com",
    ),
    ("proxy.example.com", "[a]", "6: groups[0].hostname: must be a host name such as proxy.example.com"),
    ("proxy.example.com", "5", "6: groups[0].hostname: 5: must be a host name such as proxy.example.com"),
    ("state_dir: state", "state_dir: ~/x", "3: state_dir: ~/x: '~' is not replaced here; write the path out"),
    (
        "state_dir: state",
        "state_dir: ''",
        "3: state_dir: '': must be a path that is not empty and has no control characters",
    ),
    ("state_dir: state", "state_dir: 5", "3: state_dir: 5: must be the path of a folder"),
    (
        "state_dir: state",
        'state_dir: "a\\0b"',
        '3: state_dir: "a\\u0000b": must be a path that is not empty and has no control characters',
    ),
]


@pytest.mark.parametrize(("old", "new", "lines"), CASES)
def test_each_is_told_precisely(tmp_path: Path, old: str, new: str, lines: str) -> None:
    """A wrong value gives exactly the lines that help: line, key, value, what is allowed, the fix."""
    assert told(tmp_path, changed(old, new)) == lines


def test_every_key_has_its_words() -> None:
    """Each key of the models has the sentence that says what it may hold, and no sentence is left over."""
    assert set(TopKeys.model_fields) == set(TOP_KEYS)
    assert set(GroupKeys.model_fields) == set(GROUP_KEYS)
    nested = {*HEALTH_ALLOWED, *MEMBERS_ALLOWED, *PAC_ALLOWED, *ADMIN_ALLOWED}
    assert set(TopKeys.model_fields) | set(GroupKeys.model_fields) | nested == set(ALLOWED)


@pytest.mark.parametrize("line", ["security: carp", "security: [sealed, carp]", "mac: interface", "mac: virtual"])
def test_todays_values_of_later_keys_are_accepted(tmp_path: Path, line: str) -> None:
    """A file that spells out what this version does anyway is right."""
    assert told(tmp_path, GOOD + f"    {line}\n") == ""


@pytest.mark.parametrize("value", ["{a: b}", "{0: {0: x}}", "[[{a: b}]]", "[{}]"])
def test_a_wrong_shape_hides_no_other_error(tmp_path: Path, value: str) -> None:
    """A mapping or list where a virtual IP belongs is told once, and the rest of the file is still judged."""
    lines = told(tmp_path, changed("10.0.0.3/24", value).replace("interface: auto", "interface: eth7")).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["7", "groups[0].virtual_ip[0]" if value.startswith("[") else "groups[0].virtual_ip"],
        ["8", "groups[0].interface"],
    ]


def test_a_netmask_is_a_prefix(tmp_path: Path) -> None:
    """The Virtual IP may be written with its netmask, as the WSA's page calls it."""
    [group] = loaded(tmp_path, changed("10.0.0.3/24", "10.0.0.3/255.255.255.0")).settings.groups
    assert [str(each) for each in group.virtual_ips] == ["10.0.0.3/24"]
