"""The key ``pac`` of the whole file."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.pac import BYPASS_MAX
from wsa_proxy.config.pac import PAC_ALLOWED
from wsa_proxy.config.pac import PAC_KEYS
from wsa_proxy.config.pac import PacKeys
from wsa_proxy.settings import PacSettings

SECOND = """\
  - id: 2
    hostname: second.example.com
    virtual_ip: 10.0.0.4/24
    priority: 200
    shared_secret: twelve-bytes!
"""
KINDS = "a name (intranet), a domain (.example.com, *.example.com), a network (10.0.0.0/8) or <local>"


def with_pac(text: str) -> str:
    """Two groups, and this as the first line."""
    return f"pac: {text}\n{GOOD}{SECOND}"


def test_it_is_off_unless_written(tmp_path: Path) -> None:
    """Empty keys are enough to have it; what is left out is the usual."""
    assert loaded(tmp_path, GOOD).settings.pac is None
    assert loaded(tmp_path, with_pac("{}")).settings.pac == PacSettings((), "none", False, (), ())


def test_what_is_written_is_taken(tmp_path: Path) -> None:
    """Names in lower case, addresses as networks of one; a single value is a list of one, twice is once."""
    text = (
        "{groups: [2, 1], share: client, direct: true, bypass: [localhost, .Example.com, '*.intranet', <local>,"
        " 10.0.0.0/8, fd00::/8, 192.0.2.1, '[2001:db8::1]', localhost, 3com.example]}"
    )
    assert loaded(tmp_path, with_pac(text)).settings.pac == PacSettings(
        groups=(2, 1),
        share="client",
        direct=True,
        bypass_names=("localhost", ".example.com", "*.intranet", "<local>", "3com.example"),
        bypass_networks=tuple(map(ip_network, ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32", "2001:db8::1/128"))),
    )
    assert loaded(tmp_path, with_pac("{bypass: intranet}")).settings.pac == PacSettings(bypass_names=("intranet",))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "true",
            "1: pac: true: must be keys with values, or {} for the usual; known are groups, share, direct, bypass",
        ),
        ("", "1: pac: has no value; write one or remove the line"),
        ("{shaer: host}", "1: pac.shaer: unknown key; did you mean share?"),
        ("{colour: red}", "1: pac.colour: unknown key; known here are groups, share, direct, bypass"),
        ("{share: all}", "1: pac.share: all: must be none (the group that was asked first), client or host"),
        ("{direct: 1}", "1: pac.direct: 1: must be true or false"),
        ("{direct: 'true'}", "1: pac.direct: 'true': must be true or false"),
        ("{groups: 1}", "1: pac.groups: 1: must be a list of Failover Group IDs of this file, such as [1, 2]"),
        ("{groups: []}", "1: pac.groups: must be a list of Failover Group IDs of this file"),
        ("{groups: ['1']}", "1: pac.groups: must be a list of Failover Group IDs of this file"),
        ("{groups: [true]}", "1: pac.groups: must be a list of Failover Group IDs of this file"),
        ("{groups: [1, 1]}", "1: pac.groups: names group 1 twice"),
        ("{groups: [1, 7]}", "1: pac.groups[1]: 7: no group of this file has this id; there are 1, 2"),
        ("{groups: [1, ~]}", "1: pac.groups[1]: has no value; write one or remove the line"),
        ("{groups: }", "1: pac.groups: has no value; write one or remove the line"),
        ("{bypass: [~]}", "1: pac.bypass[0]: has no value; write one or remove the line"),
        ("{bypass: [3]}", f"1: pac.bypass[0]: 3: is not {KINDS}"),
        ("{bypass: {a: b}}", f"1: pac.bypass: is not {KINDS}"),
        ("{bypass: [10.0.0.1/8]}", "every name without a dot; the network is 10.0.0.0/8"),
        ("{bypass: ['http://a.example/']}", "every name without a dot; write the host alone, without http://"),
        ("{bypass: ['a.example:80']}", "every name without a dot; a port cannot be told here: write the host alone"),
        ("{bypass: [10.*]}", "every name without a dot; write a network with its prefix"),
        ("{bypass: 'a.example, b.example'}", "write several as a list: [.example.com, 10.0.0.0/8]"),
        ("{bypass: [bücher.example]}", "every name without a dot; write it as browsers do, with xn--"),
        ("{bypass: [a.*.example]}", f"1: pac.bypass[0]: a.*.example: is not {KINDS}"),
        ("{bypass: [10.0.0.256]}", f"1: pac.bypass[0]: 10.0.0.256: is not {KINDS}"),
        ("{bypass: [a..example]}", f"1: pac.bypass[0]: a..example: is not {KINDS}"),
        ("{bypass: ['*']}", f"1: pac.bypass[0]: '*': is not {KINDS}"),
        ("{bypass: ['\"); alert(1); (\"']}", f"is not {KINDS}"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, words: str) -> None:
    """Each with its line, what was expected, and what was probably meant."""
    assert words in told(tmp_path, with_pac(text))


def test_nothing_else_is_wrong_with_one_mistake(tmp_path: Path) -> None:
    """The groups of the file are not taken for those of the key, nor the other way round."""
    assert told(tmp_path, with_pac("{groups: [9]}")).count("\n") == 0
    assert "3: groups" not in told(tmp_path, with_pac("{groups: 3}"))


def test_too_many_names(tmp_path: Path) -> None:
    """A browser compares each of them with each host."""
    names = ", ".join(f"n{number}" for number in range(BYPASS_MAX + 1))
    assert "pac.bypass: must be a list of names" in told(tmp_path, with_pac(f"{{bypass: [{names}]}}"))


def test_nothing_to_share(tmp_path: Path) -> None:
    """One group gets all the load, however it is shared: said, and no error."""
    assert told(tmp_path, with_pac("{groups: [2], share: host}")) == (
        "warning 1: pac.share: host: has no effect: only one group is named in the PAC file"
    )
    assert told(tmp_path, f"pac: {{share: client}}\n{GOOD}").startswith("warning 1: pac.share: client: has no effect")
    assert told(tmp_path, with_pac("{share: client}")) == told(tmp_path, f"pac: {{}}\n{GOOD}") == ""


def test_every_key_has_its_words() -> None:
    """``groups`` has others than the key of the whole file."""
    assert set(PAC_ALLOWED) - {"pac"} == set(PAC_KEYS) - {"groups"}
    assert set(PacKeys.model_fields) == set(PAC_KEYS)
