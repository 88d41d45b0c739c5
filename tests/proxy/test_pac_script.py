"""The PAC file's text, judged by a JavaScript engine."""

from __future__ import annotations

import json
import re
from collections import Counter
from ipaddress import ip_network
from typing import Literal

import pytest

from tests.proxy.pac_engine import evaluated
from tests.proxy.pac_engine import found
from tests.proxy.pac_engine import needs_node
from wsa_proxy.proxy.pac_script import pac_script
from wsa_proxy.settings import PacSettings

pytestmark = needs_node

TWO = [("1", "10.0.0.3:8080"), ("2", "[fd00::4]:3128")]
SHARES: list[Literal["none", "client", "host"]] = ["none", "client", "host"]
BOTH = "PROXY 10.0.0.3:8080; PROXY [fd00::4]:3128"
FIVE = [(str(number), f"10.0.0.{number}:8080") for number in (1, 2, 3, 9, 200)]
JENKINS = {"a": 0xCA2E9442, "The quick brown fox jumps over the lazy dog": 0x519E91F5}
HOSTS = [f"{name}{number}.example" for number in range(1000) for name in ("www.", "cdn-", "a", "mail")]


def test_the_proxies_in_their_order() -> None:
    """The first is tried first; DIRECT comes last, and only where it is wanted."""
    assert found(pac_script(PacSettings(), TWO), ["a.example"]) == [BOTH]
    assert found(pac_script(PacSettings(direct=True), TWO[:1]), ["a.example"]) == ["PROXY 10.0.0.3:8080; DIRECT"]
    for share in SHARES[:2]:
        assert found(pac_script(PacSettings(share=share), TWO), HOSTS[:20]) == [BOTH] * 20


@pytest.mark.parametrize(
    ("bypass", "direct", "through"),
    [
        ("intranet", ["intranet", "INTRANET", "intranet."], ["intranet.example", "my-intranet", "intrane"]),
        (".example.com", ["example.com", "a.example.com", "a.b.EXAMPLE.com."], ["myexample.com", "example.com.a"]),
        ("*.lan", ["a.lan", "a.b.lan"], ["lan", "alan", ".lan", "lan.a"]),
        ("<local>", ["a", "printer-2"], ["a.b", "10.0.0.1", "::1", "[::1]"]),
        ("constructor", ["constructor"], ["tostring"]),
    ],
)
def test_names_that_are_asked_directly(bypass: str, direct: list[str], through: list[str]) -> None:
    """A name, a domain with what is below, only what is below, every name without a dot: these, and no others."""
    said = found(pac_script(PacSettings(bypass_names=("other", bypass)), TWO), [*direct, *through])
    assert said == ["DIRECT"] * len(direct) + [BOTH] * len(through)


@pytest.mark.parametrize(
    ("network", "direct", "through"),
    [
        ("10.0.0.0/8", ["10.0.0.0", "10.255.255.255"], ["9.255.255.255", "11.0.0.0", "10.example", "::a00:1"]),
        ("192.0.2.128/25", ["192.0.2.128", "192.0.2.255"], ["192.0.2.127", "192.0.3.128"]),
        ("192.0.2.7/32", ["192.0.2.7"], ["192.0.2.6", "192.0.2.70", "1.192.0.2.7"]),
        ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], ["::", "a.example", "1.2.3", "1.2.3.4.example"]),
        ("fd00::/8", ["fd00::", "[fd12:3::4]", "fdff:1:2:3:4:5:6:7", "FD00::1%25eth0"], ["fe00::1", "fc00::", "fd"]),
        ("2001:db8:0:1::/64", ["2001:db8:0:1::", "2001:db8::1:0:0:0:1"], ["2001:db8::", "2001:db8:0:2::1"]),
        ("::1/128", ["::1", "0:0:0:0:0:0:0:1"], ["::2", "1::", ":::1", "::1::", "1:2", "::g"]),
        ("::/0", ["::", "1:2:3:4:5:6:7:8"], ["1:2:3:4:5:6:7:8:9", "12345::", "0.0.0.0", "a.example", ""]),
    ],
)
def test_networks_that_are_asked_directly(network: str, direct: list[str], through: list[str]) -> None:
    """A host that is an address in there, in any spelling; no name server is asked where a name may lead."""
    settings = PacSettings(bypass_networks=(ip_network("203.0.113.0/24"), ip_network(network)))
    said = found(pac_script(settings, TWO), [*direct, *through])
    assert said == ["DIRECT"] * len(direct) + [BOTH] * len(through)


def test_no_text_becomes_code() -> None:
    """Whatever a value holds, the script reads exactly that value, and defines nothing else than without it."""
    nasty = (
        '"',
        "'",
        "\\",
        '"];alert(1);//',
        "\n",
        "\u2028\u2029",
        "</script>",
        "\x00",
        "%s%(x)s",
        "*/",
        "\ud800",
        "日本",
    )
    harmless = evaluated(pac_script(PacSettings(bypass_names=("a",)), TWO), [])[2]
    places = [(text, text) for text in nasty]
    _, (names, proxies), defined = evaluated(
        pac_script(PacSettings(bypass_names=nasty), places), ["a.example"], ["NAMES", "PROXIES"]
    )
    assert json.dumps(names) == json.dumps(nasty)
    assert json.dumps(proxies) == json.dumps([(text, f"PROXY {text}") for text in nasty])
    assert defined == harmless


def test_old_engines_understand_it() -> None:
    """Nothing that came after ECMAScript 3: no keyword, no way to write, no method. (That it needs none of the
    browser's functions, of which some ask a name server, every other test shows: here there are none.)"""
    code = re.sub(r"//.*", "", pac_script(PacSettings(bypass_names=("a",)), TWO).decode())
    assert not re.search(r"\b(let|const|class|of|get|set|async|function\*)\b|=>|`|\.\.\.|,\s*[\]}]", code)
    methods = {"toLowerCase", "replace", "push", "concat", "join", "search", "charAt", "substring", "exec", "slice"}
    methods |= {"split", "test", "indexOf", "toString", "pow", "sort", "charCodeAt"}
    assert set(re.findall(r"\.(\w+)\(", code)) == methods
    assert "indexOf" not in re.sub(r"host\.indexOf", "", code), "a list has this method only later"


def test_hosts_are_shared_evenly() -> None:
    """4,000 hosts over five groups whose ids are alike: the first place and each further one, by the chi-square test
    (18.5 at four degrees of freedom is passed by chance once in a thousand)."""
    orders = [said.split("; ") for said in found(pac_script(PacSettings(share="host"), FIVE), HOSTS)]
    for place in range(len(FIVE)):
        counts = Counter(order[place] for order in orders)
        mean = len(HOSTS) / len(FIVE)
        assert len(counts) == len(FIVE)
        assert sum((count - mean) ** 2 / mean for count in counts.values()) < 18.5, counts


def test_a_group_that_goes_moves_only_its_own_hosts() -> None:
    """Of all the others the order stays, whatever is first in the file; so what it leaves, it leaves to all of them."""
    full = [said.split("; ") for said in found(pac_script(PacSettings(share="host"), FIVE), HOSTS)]
    less = [said.split("; ") for said in found(pac_script(PacSettings(share="host"), FIVE[:1:-1] + FIVE[:1]), HOSTS)]
    gone = f"PROXY {FIVE[1][1]}"
    assert less == [[proxy for proxy in order if proxy != gone] for order in full]
    heirs = Counter(order[1] for order in full if order[0] == gone)
    assert len(heirs) == len(FIVE) - 1 and min(heirs.values()) > len(HOSTS) / 40


def test_the_order_of_a_host_is_for_ever() -> None:
    """Nodes of two versions must not send one host's clients to two groups. The weights are those that the
    hash is published with."""
    script = pac_script(PacSettings(share="host"), FIVE)
    said = found(script, ["www.example.com", "a"])
    numbers = [[int(proxy.split(".")[3].removesuffix(":8080")) for proxy in each.split("; ")] for each in said]
    assert numbers == [[200, 9, 3, 1, 2], [1, 3, 200, 9, 2]]
    weights = evaluated(script, [], [f"weightOf({json.dumps(text)})" for text in JENKINS])[1]
    assert weights == list(JENKINS.values())


def test_the_spelling_of_a_host_changes_nothing() -> None:
    """One host, one proxy."""
    said = found(
        pac_script(PacSettings(share="host"), FIVE), ["www.example.com", "WWW.Example.com", "www.example.com."]
    )
    assert len(set(said)) == 1
