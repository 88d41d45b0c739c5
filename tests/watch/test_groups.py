"""Of a node's file the watch takes what decides whom the node believes, on any host, and shows no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.watch.packets import F1
from tests.watch.packets import SECRET
from tests.watch.packets import VIP
from tests.watch.packets import Sender
from tests.watch.packets import configuration
from wsa_proxy.carp import wire
from wsa_proxy.carp.credentials import Reading
from wsa_proxy.carp.credentials import Security
from wsa_proxy.carp.wire import Reject
from wsa_proxy.config import ConfigError
from wsa_proxy.net.host import HostFacts
from wsa_proxy.watch.groups import read_groups

READING = Reading(0.0, 0.0, 0.0)


def test_a_file_is_read_where_its_node_does_not_live(tmp_path: Path) -> None:
    """Neither its interface nor its state folder need be there, and nobody asks the host."""
    file = configuration(tmp_path, interface="eth77", advertisement_interval=2, security="[sealed, carp]")
    file.write_text(file.read_text() + "state_dir: /nowhere/at/all\n")
    (group,) = read_groups(file, None)
    assert (group.vhid, group.hostname, group.interface, group.addresses) == (1, "proxy.example.com", "", (VIP,))
    assert (group.advbase, group.advskew, group.interval_s) == (2, 55, 2 + 55 / 256)
    assert group.security == (Security.SEALED, Security.CARP)


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    """Nor the keys that were made of it."""
    (group,) = read_groups(configuration(tmp_path), None)
    assert SECRET not in repr(group) and "phrase" not in repr(group)
    assert SECRET not in repr(group.credentials(0.0))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"shared_secret": f'"{SECRET}-too-long"'}, "shared_secret: has 24 bytes; CARP uses 19"),
        ({"virtual_ip": "10.0.0.3"}, "must have a prefix; write 10.0.0.3/24"),
        ({"shared_secret": None, "security": "sealed"}, "sealed needs a shared_secret"),
        ({"advertisement_interval": 0.5, "priority": 1}, "does not fit priority 1"),
        ({"id": 300}, "must be a whole number from 1 to 255"),
    ],
)
def test_a_wrong_file_is_told_in_the_words_of_check(tmp_path: Path, keys: dict[str, Any], text: str) -> None:
    """With everything that is wrong, and without the secret."""
    with pytest.raises(ConfigError) as raised:
        read_groups(configuration(tmp_path, **keys), None)
    assert text in str(raised.value) and SECRET not in str(raised.value)


def test_with_the_host_the_interface_is_judged(tmp_path: Path) -> None:
    """To listen where the node does, the interface must be there."""
    with pytest.raises(ConfigError, match="no interface of this host is in its subnet"):
        read_groups(configuration(tmp_path), HostFacts(()))


def test_credentials_are_those_of_a_node(tmp_path: Path) -> None:
    """Another implementation's packet is believed with its secret and addresses, and no other."""
    addresses = f"[{', '.join(f'{address}/24' for address in F1.addresses)}]"
    keys: dict[str, Any] = {
        "virtual_ip": addresses,
        "shared_secret": f'"{F1.pass_phrase.decode()}"',
        "security": "carp",
    }
    (group,) = read_groups(configuration(tmp_path, **keys), None)
    accepted = group.credentials(0.0).accept(F1.packet, 255, 4, "", limit_ms=1000, reading=READING)
    assert not isinstance(accepted, Reject)
    (other,) = read_groups(configuration(tmp_path, **keys | {"shared_secret": "another-secret"}), None)
    assert other.credentials(0.0).accept(F1.packet, 255, 4, "", limit_ms=1000, reading=READING) is Reject.BAD_SECRET


def test_the_usual_mistakes_are_known_by_their_digest(tmp_path: Path) -> None:
    """A sender that has only one of our two virtual IPs is recognised, sealed as well as plain."""
    (group,) = read_groups(configuration(tmp_path, virtual_ip="[10.0.0.3/24, fd00:77::3/64]"), None)
    heard = wire.decode(Sender().payload(0.0), 255)
    assert not isinstance(heard, Reject)
    texts = [other.text for other in group.other_lists if other.signature.fits(heard)]
    assert texts == ["it fits with 10.0.0.3 as the only virtual IP"]
