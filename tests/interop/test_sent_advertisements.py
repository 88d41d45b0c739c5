"""Every kind of advertisement that a node can send, as it leaves the real socket, is CARP to tcpdump and to scapy."""

from __future__ import annotations

import hashlib
import hmac
import re
from ipaddress import ip_address
from typing import Any

import pytest
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6

from wsa_proxy.carp import election
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.net.frames import Carp
from wsa_proxy.net.frames import read_advertisement
from wsa_proxy.net.packet_socket import Headers
from wsa_proxy.net.packet_socket import PacketSocket

VHID = 42
SECRET = b"beside a ucarp"
COUNTER = 0xFEDCBA9876543210

KINDS = {
    # name: advbase, advskew, demotion
    "plain": (1, 0, 0),
    "of the lowest priority": (1, 254, 0),
    "of a slow group": (255, 100, 0),
    "demoted": (1, election.ADVSKEW_DEMOTED, 1),
    "below one second": (0, 13, 0),
    "below one second, demoted": (0, 14, 1),
    "bow-out": (election.BOW_OUT, election.BOW_OUT, 0),
    "bow-out of a demoted node": (election.BOW_OUT, election.BOW_OUT, 1),
}
VIRTUAL_IPS = {
    "IPv4": ["10.0.0.3"],
    "IPv6": ["fd00:77::3"],
    "both": ["10.0.0.3", "fd00:77::3"],
    "several": ["10.0.0.200", "10.0.0.3", "10.0.0.30", "192.0.2.1", "fd00:77::3", "fd00:77::a"],
}


def digest(texts: list[str]) -> bytes:
    """Reckoned again, from FreeBSD's carp_hmac_prepare: 02 01, vhid, addresses in ascending order, counter."""
    addresses = sorted(ip_address(text).packed for text in texts if ":" not in text)
    addresses += sorted(ip_address(text).packed for text in texts if ":" in text)
    message = bytes([2, 1, VHID]) + b"".join(addresses) + COUNTER.to_bytes(8)
    return hmac.new(SECRET.ljust(20, b"\0"), message, hashlib.sha1).digest()


@pytest.mark.parametrize("addresses", VIRTUAL_IPS)
def test_tcpdump_and_scapy_accept_whatever_we_send(lan: Any, addresses: str) -> None:
    """The values that were meant, an intact checksum, TTL 255 and the digest over all virtual IPs."""
    texts = VIRTUAL_IPS[addresses]
    virtual = [ip_address(text) for text in texts]
    versions = sorted({address.version for address in virtual})
    authenticator = Authenticator([key_from_pass_phrase(SECRET)], VHID, virtual, COUNTER)
    port = PacketSocket(lan.LEFT, lan.index, VHID, versions, Headers(virtual))
    wire = lan.wire(lambda frame: read_advertisement(frame) is not None)
    for name, (advbase, advskew, demotion) in KINDS.items():
        payload = authenticator.sign(advbase, advskew, demotion)
        for version in versions:
            port.send(version, payload)
        frames = wire.take(len(versions))
        text = lan.tcpdump(frames, "-vv", "-T", "carp")
        line = f"CARPv2-advertise 36: vhid={VHID} advbase={advbase} advskew={advskew} authlen=7 counter={COUNTER}\n"
        assert text.count(line) == len(versions), f"{name}: {text}"
        assert "bad" not in text and len(re.findall(r"ttl 255|hlim 255", text)) == len(versions), f"{name}: {text}"
        for frame in frames:
            read = read_advertisement(frame)
            assert read is not None
            assert read[IP].ttl == 255 if IP in read else read[IPv6].hlim == 255
            layer = read[Carp]
            assert (layer.version, layer.type, layer.authlen, layer.counter) == (2, 1, 7, COUNTER), name
            assert (layer.vhid, layer.advbase, layer.advskew, layer.demotion) == (VHID, advbase, advskew, demotion)
            assert layer.digest == digest(texts), name
            again = layer.copy()
            again.checksum = None
            assert bytes(again) == bytes(layer), name
    port.close()
