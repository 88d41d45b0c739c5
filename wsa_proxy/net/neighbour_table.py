"""What this host believes of its neighbours (the kernel's ARP and neighbour discovery tables), and how it asks again.

While the cable is out, connections on their way go on sending. The kernel asks who has the next hop, and its question
cannot leave: the entry is INCOMPLETE, and whatever is sent there waits for the end of a series of three questions, a
second apart, and then fails with EHOSTUNREACH. With the cable back, a question asked in vain is not repeated any
sooner: for up to a second every request of a proxy to that origin or gateway waits, and then is answered with 502.

``ask_again`` begins such a series anew: it takes the state away (NONE) and says that the entry is in use. The kernel
asks at once, and what waits is sent as soon as the answer is there. Deleting the entry would help the next packet as
well, but what waits would be thrown away, and its connections, also those of other programs, refused (tried).
Other states need no help: FAILED is asked anew by the next packet, the rest have an answer or were set by somebody.
"""

from __future__ import annotations

import errno
import os
import struct
from ipaddress import ip_address
from itertools import islice

from pyroute2.netlink import NLM_F_DUMP
from pyroute2.netlink.rtnl import RTM_GETNEIGH
from pyroute2.netlink.rtnl import RTM_NEWNEIGH
from pyroute2.netlink.rtnl.ndmsg import NTF_USE
from pyroute2.netlink.rtnl.ndmsg import NUD_INCOMPLETE
from pyroute2.netlink.rtnl.ndmsg import NUD_NONE
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from wsa_proxy.net.netlink import Message
from wsa_proxy.net.netlink import RouteSocket
from wsa_proxy.net.netlink import encode
from wsa_proxy.net.netlink import encode_acknowledged
from wsa_proxy.net.ports import Address

NEIGHBOURS_MAX = 64  # their 128 requests are one send and 25 ms; a proxy has a gateway and some origins on its LAN

_ENTRY = struct.Struct("=16xB3xiH")  # after the netlink header, struct ndmsg: family, interface index, state


def ask_again(index: int) -> list[Address]:
    """Ask at once for the neighbours of one interface that are being asked for; answers for whom, for the log.

    Of more than NEIGHBOURS_MAX the rest is left to the kernel's own pace. Raises OSError.
    """
    with RouteSocket() as route:
        unresolved = _read_unresolved(route, index)
        results = route.request([request for entry in unresolved for request in _encode_question(index, *entry)])
    asked = [address for _, address in unresolved]
    for position, result in enumerate(results):
        # One that is no longer there is asked for by the next packet.
        if result not in (0, errno.ENOENT):
            raise OSError(result, f"cannot ask for neighbour {asked[position // 2]} again: {os.strerror(result)}")
    return asked


def _read_unresolved(route: RouteSocket, index: int) -> list[tuple[int, Address]]:
    """Family and address of each entry that waits for an answer."""
    request = ndmsg()
    request["attrs"] = [("NDA_IFINDEX", index)]
    answers = route.dump(encode(request, RTM_GETNEIGH, NLM_F_DUMP))
    # A table may have thousands of entries; only the few that matter are decoded by pyroute2, at 0.1 ms each.
    return list(islice((_decode(answer) for answer in answers if _waits(answer, index)), NEIGHBOURS_MAX))


def _waits(answer: Message, index: int) -> bool:
    _, entry_index, state = _ENTRY.unpack_from(answer.data)
    return answer.type == RTM_NEWNEIGH and entry_index == index and bool(state & NUD_INCOMPLETE)


def _decode(answer: Message) -> tuple[int, Address]:
    decoded = ndmsg(answer.data)
    decoded.decode()
    return decoded["family"], ip_address(decoded.get_attr("NDA_DST"))


def _encode_question(index: int, family: int, address: Address) -> list[bytes]:
    """Forget the series of questions, then begin another. None of them makes an entry that is not there."""
    requests = []
    for flags in (0, NTF_USE):
        message = ndmsg()
        message["family"] = family
        message["ifindex"] = index
        message["state"] = NUD_NONE
        message["flags"] = flags
        message["attrs"] = [("NDA_DST", str(address))]
        requests.append(encode_acknowledged(message, RTM_NEWNEIGH))
    return requests
