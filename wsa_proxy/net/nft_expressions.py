"""The steps of nf_tables' rules. Each reads or writes registers of the rule's machine, or ends it.

A step that finds nothing (a lookup), or that the frame is too short for, ends the rule, and the next rule has its turn.
Numbers are from linux/netfilter/nf_tables.h.

What is alike in the rules of all LANs is made once, when a node finds out at its start whether it can steer: a takeover
waits for the rest.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import cache

from pyroute2.netlink.nfnetlink.nftsocket import Cmp
from pyroute2.netlink.nfnetlink.nftsocket import Meta
from pyroute2.netlink.nfnetlink.nftsocket import Regs

from wsa_proxy.net.nft_messages import Expression
from wsa_proxy.net.nft_messages import attribute
from wsa_proxy.net.nft_messages import nested
from wsa_proxy.net.nft_messages import number
from wsa_proxy.net.nft_messages import text

FIRST = Regs.NFT_REG32_00.value
"""The first register of four bytes. What is longer goes on in the following ones."""
_NF_ACCEPT, _NFT_JUMP = 1, 0xFFFFFFFD
_LOOKUP_INVERTED = 1
_DYNSET_ADD = 0
_EXTHDR_PRESENT = 1


class Base(IntEnum):
    """From where an offset counts."""

    LINK = 0
    NETWORK = 1
    TRANSPORT = 2


@cache
def meta(key: Meta) -> Expression:
    """To the first register."""
    return _expression("meta", number(1, FIRST), number(2, key))


@cache
def payload(base: Base, offset: int, length: int, register: int = FIRST) -> Expression:
    """Bytes of the frame, padded with zeros to full registers."""
    return _expression("payload", number(1, register), number(2, base), number(3, offset), number(4, length))


@cache
def write(base: Base, offset: int, length: int) -> Expression:
    """Bytes of the frame from the first register; checksums are left alone."""
    where = number(2, base), number(3, offset), number(4, length)
    return _expression("payload", number(5, FIRST), *where, number(6, 0), number(7, 0), number(8, 0))


@cache
def extension_header(kind: int) -> Expression:
    """Whether an IPv6 frame has it, 0 or 1 in one byte."""
    where = attribute(2, bytes([kind])), number(3, 0), number(4, 1)
    return _expression("exthdr", number(1, FIRST), *where, number(5, _EXTHDR_PRESENT), number(6, 0))


@cache
def equals(value: bytes) -> Expression:
    """The first register; else the rule ends."""
    return _compare(Cmp.NFT_CMP_EQ, value)


@cache
def differs(value: bytes) -> Expression:
    """The first register; else the rule ends."""
    return _compare(Cmp.NFT_CMP_NEQ, value)


@cache
def masked(mask: bytes) -> Expression:
    """Only these bits of the first register."""
    masks = nested(4, attribute(1, mask)), nested(5, attribute(1, bytes(len(mask))))
    return _expression("bitwise", number(1, FIRST), number(2, FIRST), number(3, len(mask)), *masks)


def in_set(name: str) -> Expression:
    """What the registers have from the first one on; else the rule ends."""
    return _expression("lookup", text(1, name), number(2, FIRST))


def not_in_set(name: str) -> Expression:
    """The contrary."""
    return _expression("lookup", text(1, name), number(2, FIRST), number(5, _LOOKUP_INVERTED))


def mapped(name: str) -> Expression:
    """The value that the map has for it takes its place; else the rule ends."""
    return _expression("lookup", text(1, name), number(2, FIRST), number(3, FIRST))


def add_to(name: str) -> Expression:
    """What the registers have from the first one on becomes an element; if the set is full the rule ends."""
    return _expression("dynset", text(1, name), number(3, _DYNSET_ADD), number(4, FIRST))


def load(value: bytes) -> Expression:
    """To the first register."""
    return _expression("immediate", number(1, FIRST), nested(2, attribute(1, value)))


@cache
def count() -> Expression:
    """The frames that come so far."""
    return _expression("counter")


def forward(index: int) -> Expression:
    """Send the frame out by this interface as it is; it is seen by nobody else here."""
    return load(struct.pack("=I", index)) + _expression("fwd", number(1, FIRST))


@cache
def accept() -> Expression:
    """Nothing further is done with the frame here."""
    return _verdict(number(1, _NF_ACCEPT))


def jump(chain: str) -> Expression:
    """And back, if no rule there decides."""
    return _verdict(number(1, _NFT_JUMP) + text(2, chain))


def _compare(operation: Cmp, value: bytes) -> Expression:
    return _expression("cmp", number(1, FIRST), number(2, operation), nested(3, attribute(1, value)))


def _verdict(verdict: bytes) -> Expression:
    return _expression("immediate", number(1, Regs.NFT_REG_VERDICT), nested(2, nested(2, verdict)))


def _expression(name: str, *attributes: bytes) -> Expression:
    return nested(1, text(1, name), nested(2, *attributes))
