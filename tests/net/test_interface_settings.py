from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wsa_proxy.net import interface_settings
from wsa_proxy.net.interface_settings import Setting
from wsa_proxy.net.interface_settings import attribute
from wsa_proxy.net.interface_settings import ignore_router_advertisements
from wsa_proxy.net.interface_settings import make_no_link_local
from wsa_proxy.net.interface_settings import set_ipv4
from wsa_proxy.net.interface_settings import settings_in_the_way
from wsa_proxy.net.netlink import RouteSocket


def ipv4(interface: str, name: str) -> Path:
    return Path(f"/proc/sys/net/ipv4/conf/{interface}/{name}")


def test_set_ipv4(lan: Any) -> None:
    """Exactly the settings that are named change, on that interface only, each to its own value."""
    names = [path.name for path in ipv4(lan.LEFT, "").iterdir()]

    def values(interface: str) -> dict[str, str]:
        return {name: ipv4(interface, name).read_text() for name in names if name != "stable_secret"}

    here, loopback, everywhere = values(lan.LEFT), values("lo"), values("all")
    wanted = {Setting.RP_FILTER: 2, Setting.ARP_ANNOUNCE: 1, Setting.ARP_IGNORE: 3}
    with RouteSocket() as route:
        set_ipv4(route, lan.LEFT, lan.index, wanted)
    changed = {name: value.strip() for name, value in values(lan.LEFT).items() if value != here[name]}
    assert changed == {"rp_filter": "2", "arp_announce": "1", "arp_ignore": "3"}
    assert (values("lo"), values("all")) == (loopback, everywhere)


def test_set_ipv4_on_nothing(lan: Any) -> None:
    """A missing interface, or a missing right, is an OSError that names the settings and the interface."""
    with RouteSocket() as route:
        with pytest.raises(OSError, match=r"cannot set rp_filter, arp_ignore on gone: .*ENODEV"):
            set_ipv4(route, "gone", 999, {Setting.RP_FILTER: 0, Setting.ARP_IGNORE: 1})
        with pytest.raises(OSError, match=r"cannot set addrgenmode none on gone: .*ENODEV"):
            make_no_link_local(route, "gone", 999)
    lan.lose_privileges()
    with RouteSocket() as route, pytest.raises(PermissionError, match=r"rp_filter on left: .*CAP_NET_ADMIN"):
        set_ipv4(route, lan.LEFT, lan.index, {Setting.RP_FILTER: 0})


def test_no_link_local(lan: Any) -> None:
    """An interface that comes up has no IPv6 address, where it would have made one."""
    lan.ip("link add name other type bridge")
    index = int(lan.ip("-oneline link show dev other").split(":")[0])
    lan.ip("link set other up")
    assert [entry["local"][:4] for entry in lan.addresses("other")] == ["fe80"]
    lan.ip("link set other down")
    with RouteSocket() as route:
        make_no_link_local(route, "other", index)
    lan.ip("link set other up")
    assert lan.addresses("other") == []


def test_ignore_router_advertisements(lan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written where it is not so already; without IPv6 nothing is to be done; a refusal is told with its help."""
    setting = Path(f"/proc/sys/net/ipv6/conf/{lan.LEFT}/accept_ra")
    setting.write_text("1")
    assert ignore_router_advertisements(lan.LEFT) == []
    assert setting.read_text() == "0\n"
    assert ignore_router_advertisements("gone") == []
    monkeypatch.setattr(interface_settings, "_ACCEPT_RA", f"{tmp_path}/{{interface}}")
    (tmp_path / "already").write_text("0\n")
    assert ignore_router_advertisements("already") == []
    (tmp_path / "refused").mkdir()  # what cannot be read cannot be trusted
    (sentence,) = ignore_router_advertisements("refused")
    assert "cannot set net.ipv6.conf.refused.accept_ra to 0 (" in sentence
    assert "net.ipv6.conf.default.accept_ra=0" in sentence


def test_settings_in_the_way(lan: Any) -> None:
    """Strict rp_filter and a too modest arp_ignore for all interfaces are told with the command that helps."""
    rp_filter, arp_ignore = ipv4("all", "rp_filter"), ipv4("all", "arp_ignore")
    rp_filter.write_text("0")
    arp_ignore.write_text("1")
    assert settings_in_the_way() == []
    rp_filter.write_text("2")
    assert settings_in_the_way() == []
    rp_filter.write_text("1")
    arp_ignore.write_text("2")
    first, second = settings_in_the_way()
    assert "net.ipv4.conf.all.rp_filter is 1" in first and "sysctl -w net.ipv4.conf.all.rp_filter=0" in first
    assert "net.ipv4.conf.all.arp_ignore is 2" in second and "sysctl -w net.ipv4.conf.all.arp_ignore=1" in second


def test_settings_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc/sys nothing is claimed."""
    monkeypatch.setattr(interface_settings, "_ALL_IPV4", tmp_path)
    (tmp_path / "rp_filter").write_text("?")
    assert settings_in_the_way() == []


def test_attributes_are_aligned() -> None:
    """Each attribute takes a multiple of four bytes, as the kernel wants it; its length does not count the padding."""
    assert attribute(8, b"\1").hex() == "0500080001000000"
    assert attribute(1, attribute(8, b"\1\2\3\4")).hex() == "0c00010008000800" + "01020304"
