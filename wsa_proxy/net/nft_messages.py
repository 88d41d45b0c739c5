"""Messages to the kernel's nf_tables: tables, chains, rules, sets and their elements, in the netdev family.

The program ``nft`` writes the same ones, and lists what these make. It is not asked to, since a takeover waits for it:
it needs milliseconds to start and to read the rules of the whole host, and as a child it says nothing when all is well.
Numbers are from linux/netfilter/nf_tables.h; unlike rtnetlink's, those in attributes are big endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from pyroute2.netlink import NLM_F_APPEND
from pyroute2.netlink import NLM_F_CREATE
from pyroute2.netlink import NLM_F_EXCL
from pyroute2.netlink import NLM_F_REQUEST
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES
from pyroute2.netlink.nfnetlink.nftsocket import DATA_TYPE_ETHERADDR
from pyroute2.netlink.nfnetlink.nftsocket import NFPROTO_NETDEV
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_DELCHAIN
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_DELRULE
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_DELSET
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_DELSETELEM
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_DELTABLE
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWCHAIN
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWRULE
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWSET
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWSETELEM
from pyroute2.netlink.nfnetlink.nftsocket import NFT_MSG_NEWTABLE

NFT_TABLE_F_OWNER = 2  # the table ends with the socket that made it, and obeys no other
NFT_SET_MAP, NFT_SET_TIMEOUT, NFT_SET_EVAL = 8, 16, 32

_TYPE_BITS = 6  # of each field, in the type of a concatenation
_BATCH_BEGIN, _BATCH_END = 16, 17  # from linux/netfilter/nfnetlink.h
_SUBSYSTEM = NFNL_SUBSYS_NFTABLES << 8

_HEADER = struct.Struct("=IHHIIBB2s")  # struct nlmsghdr, struct nfgenmsg: family, version, the batch's subsystem
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000
_ELEMENTS_BYTES_MAX = 60_000  # the length of an attribute, here that of all elements of a message, has 16 bits

_HOOK_INGRESS = 0
_PRIORITY = 100  # after the host's own rules there, which are usually at 0
_POLICY_ACCEPT = 1

type Expression = bytes
"""One step of a rule."""


@dataclass(frozen=True, slots=True)
class SetDescription:
    """A set, or a map to hardware addresses, of concatenated fields; each field is padded to four bytes."""

    name: str
    types: tuple[int, ...]
    """Of the fields, DATA_TYPE_...: the kernel has no use for them, ``nft`` lists the elements by them."""
    key_bytes: int
    """With the padding."""
    is_map: bool = False
    timeout_ms: int = 0
    """0: elements stay. Else it is filled by rules, and never has more than ``size`` elements."""
    size: int = 0


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    """An attribute of attributes."""
    return attribute(kind | _NESTED, b"".join(attributes))


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("!I", value))


def text(kind: int, value: str) -> bytes:
    """An attribute that is a name."""
    return attribute(kind, os.fsencode(value) + b"\0")


def batch(messages: Iterable[bytes]) -> list[bytes]:
    """The same as one transaction."""
    begin, end = (_headed(kind, b"", 0, 0, NFNL_SUBSYS_NFTABLES) for kind in (_BATCH_BEGIN, _BATCH_END))
    return [begin, *messages, end]


def new_table(table: str, flags: int = NFT_TABLE_F_OWNER) -> bytes:
    """It must not be there. With an owner, nobody else may change it."""
    return _message(NFT_MSG_NEWTABLE, text(1, table) + number(2, flags), NLM_F_CREATE | NLM_F_EXCL)


def delete_table(table: str) -> bytes:
    """With all that is in it."""
    return _message(NFT_MSG_DELTABLE, text(1, table))


def new_chain(table: str, chain: str) -> bytes:
    """One that others jump to."""
    return _message(NFT_MSG_NEWCHAIN, text(1, table) + text(3, chain), NLM_F_CREATE)


def new_hook(table: str, chain: str, device: str) -> bytes:
    """A chain that sees every frame that comes in by the device."""
    hook = nested(4, number(1, _HOOK_INGRESS), number(2, _PRIORITY), text(3, device))
    attributes = text(1, table) + text(3, chain) + text(7, "filter") + number(5, _POLICY_ACCEPT) + hook
    return _message(NFT_MSG_NEWCHAIN, attributes, NLM_F_CREATE)


def delete_chain(table: str, chain: str) -> list[bytes]:
    """And its rules."""
    return [
        _message(NFT_MSG_DELRULE, text(1, table) + text(2, chain)),
        _message(NFT_MSG_DELCHAIN, text(1, table) + text(3, chain)),
    ]


def new_rule(table: str, chain: str, *expressions: Expression) -> bytes:
    """At the end of the chain."""
    attributes = text(1, table) + text(2, chain) + nested(4, *expressions)
    return _message(NFT_MSG_NEWRULE, attributes, NLM_F_CREATE | NLM_F_APPEND)


def new_set(table: str, described: SetDescription) -> bytes:
    """An empty one."""
    key_type = 0
    for each in described.types:
        key_type = key_type << _TYPE_BITS | each
    flags = (NFT_SET_MAP if described.is_map else 0) | (NFT_SET_TIMEOUT | NFT_SET_EVAL if described.timeout_ms else 0)
    attributes = text(1, table) + text(2, described.name) + number(3, flags)
    attributes += number(4, key_type) + number(5, described.key_bytes)
    if described.is_map:
        attributes += number(6, DATA_TYPE_ETHERADDR) + number(7, 6)
    if described.size:
        attributes += nested(9, number(1, described.size))
    attributes += number(10, 0)  # a number by which to name it in this transaction; we use its name
    if described.timeout_ms:
        attributes += attribute(11, struct.pack("!Q", described.timeout_ms))
    return _message(NFT_MSG_NEWSET, attributes, NLM_F_CREATE)


def delete_set(table: str, name: str) -> bytes:
    """With its elements; no rule may use it any more."""
    return _message(NFT_MSG_DELSET, text(1, table) + text(2, name))


def new_elements(table: str, name: str, elements: Iterable[tuple[bytes, bytes | None]]) -> list[bytes]:
    """Of each its key, padded, and in a map its value. One that is there already is no error."""
    return _elements(NFT_MSG_NEWSETELEM, table, name, elements, NLM_F_CREATE)


def delete_elements(table: str, name: str, keys: Iterable[bytes]) -> list[bytes]:
    """Each must be there."""
    return _elements(NFT_MSG_DELSETELEM, table, name, ((key, None) for key in keys), 0)


def _elements(
    kind: int, table: str, name: str, elements: Iterable[tuple[bytes, bytes | None]], flags: int
) -> list[bytes]:
    return [
        _message(kind, text(1, table) + text(2, name) + nested(3, part), flags)
        for part in _parts(_element(key, value) for key, value in elements)
    ]


def _parts(elements: Iterable[bytes]) -> Iterator[bytes]:
    """The elements of one message after the other."""
    part = bytearray()
    for element in elements:
        if len(part) + len(element) > _ELEMENTS_BYTES_MAX:
            yield bytes(part)
            part.clear()
        part += element
    if part:
        yield bytes(part)


def _element(key: bytes, value: bytes | None) -> bytes:
    before_key, before_value, after_value = _around(len(key), None if value is None else len(value))
    return before_key + key + before_value + (value or b"") + after_value


@cache
def _around(key_bytes: int, value_bytes: int | None) -> tuple[bytes, bytes, bytes]:
    """What is alike in all elements of a set: before the key, which is padded, before the value, and after it."""
    key, value = bytes(key_bytes), bytes(value_bytes or 0)
    inside = nested(1, attribute(1, key))
    data = b"" if value_bytes is None else nested(2, attribute(1, value))
    element = nested(1, inside, data)
    padding = -len(value) % 4
    before_key = element[: len(element) - len(data) - key_bytes]
    return before_key, data[: len(data) - len(value) - padding], bytes(padding)


def _message(kind: int, attributes: bytes, flags: int = 0) -> bytes:
    return _headed(_SUBSYSTEM | kind, attributes, flags, NFPROTO_NETDEV, 0)


def _headed(kind: int, attributes: bytes, flags: int, family: int, subsystem: int) -> bytes:
    """With its head. The sequence number is filled in when it is sent."""
    length = _HEADER.size + len(attributes)
    return _HEADER.pack(length, kind, NLM_F_REQUEST | flags, 0, 0, family, 0, bytes((0, subsystem))) + attributes
