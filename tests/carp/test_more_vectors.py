"""82 more packets of other implementations, over the whole range of every field: read, believed, written again."""

from __future__ import annotations

import dataclasses
import random

import pytest

from tests.carp.more_vectors import BSD
from tests.carp.more_vectors import NOT_SENT_BY_US
from tests.carp.more_vectors import UCARP
from tests.carp.more_vectors import UCARP_DOCUMENT
from tests.carp.vectors import Vector
from tests.fuzz import second_reader
from tests.interop.ucarp_vectors import OUR_COUNTER
from tests.interop.ucarp_vectors import Configuration
from tests.interop.ucarp_vectors import bow_out
from tests.interop.ucarp_vectors import configurations
from wsa_proxy.carp import wire
from wsa_proxy.carp.auth import Address
from wsa_proxy.carp.auth import Authenticator
from wsa_proxy.carp.auth import key_from_pass_phrase
from wsa_proxy.carp.wire import Advertisement
from wsa_proxy.carp.wire import Reject

ALL = [*BSD, *UCARP]
each_vector = pytest.mark.parametrize("vector", ALL, ids=lambda vector: vector.name)


def link_local(vector: Vector) -> list[Address]:
    return [each for each in vector.addresses if each.version == 6 and each.is_link_local]


def node(vector: Vector, counter: int, seed: int = 0) -> Authenticator:
    """A node of the same virtual host, whose list has another order and repeats itself."""
    addresses = [*vector.addresses, *vector.addresses[:2]]
    random.Random(seed).shuffle(addresses)
    return Authenticator([key_from_pass_phrase(vector.pass_phrase)], vector.vhid, addresses, counter)


def test_the_whole_range_is_there() -> None:
    """Pass phrases of 1 to 19 bytes, ids 1 and 255, intervals from 0 to 255, 1 to 32 addresses, link-local ones too."""
    for vectors in (BSD, UCARP):
        assert {len(vector.pass_phrase) for vector in vectors} >= set(range(1, 20))
        assert {1, 255} <= {vector.vhid for vector in vectors}
        assert {0, 1, 255} <= {vector.advbase for vector in vectors}
        assert {0, 254} <= {vector.advskew for vector in vectors}
    assert {1, 2, 3, 32} <= {len(vector.addresses) for vector in BSD}
    assert len(BSD) == 45 and len(UCARP) == 37


@each_vector
def test_each_field_is_where_the_others_put_it(vector: Vector) -> None:
    """Read, and written again byte for byte."""
    read = wire.decode(vector.packet, 255)
    digest = vector.packet[16:36]
    assert read == Advertisement(vector.vhid, vector.advbase, vector.advskew, vector.demotion, vector.counter, digest)
    assert wire.encode(read) == vector.packet


@each_vector
def test_it_is_believed_whatever_the_order_of_the_addresses(vector: Vector) -> None:
    """And in either IP version that the virtual host has: one digest for both."""
    for seed in range(3):
        ours = node(vector, vector.counter ^ 1, seed)
        for version in ours.versions:
            assert isinstance(ours.accept(vector.packet, 255, version), Advertisement)


@each_vector
def test_ours_with_these_values_is_the_same_packet(vector: Vector) -> None:
    """But for what OpenBSD accepts and FreeBSD sends with link-local addresses, which we leave out of what we send."""
    sent = node(vector, vector.counter).sign(vector.advbase, vector.advskew, vector.demotion)
    if vector in NOT_SENT_BY_US and link_local(vector):
        assert sent != vector.packet
    else:
        assert sent == vector.packet


@each_vector
def test_a_second_reader_that_knows_nothing_of_ours_says_the_same(vector: Vector) -> None:
    """Written from carp(4) alone: it tells whether the vector or we are wrong when they differ."""
    counter = vector.counter.to_bytes(8)
    hashed = set(vector.addresses) - (set() if vector in NOT_SENT_BY_US else set(link_local(vector)))
    alone = dataclasses.replace(vector, addresses=tuple(hashed))
    assert second_reader.why_not_an_advertisement(vector.packet, 255) is None
    assert second_reader.digest(alone, vector.key, counter) == vector.packet[16:36]


@each_vector
def test_one_difference_makes_it_a_strangers(vector: Vector) -> None:
    """One address less, one byte of the phrase, another id."""
    phrase = vector.pass_phrase
    keys = [key_from_pass_phrase(bytes([phrase[0] ^ 1]) + phrase[1:]), key_from_pass_phrase(phrase[:-1])]
    for key in keys:
        assert Authenticator([key], vector.vhid, vector.addresses, 0).judge(read(vector)) is Reject.BAD_SECRET
    for gone in set(vector.addresses):
        if gone in link_local(vector) and vector not in NOT_SENT_BY_US:
            continue  # OpenBSD has not hashed it
        fewer = [each for each in vector.addresses if each != gone]
        assert Authenticator([vector.key], vector.vhid, fewer, 0).judge(read(vector)) is Reject.BAD_SECRET
    other = Authenticator([vector.key], vector.vhid ^ 1, vector.addresses, 0)
    assert other.accept(vector.packet, 255, vector.version) is Reject.OTHER_VHID


def read(vector: Vector) -> Advertisement:
    found = wire.decode(vector.packet, 255)
    assert isinstance(found, Advertisement)
    return found


def test_the_real_ucarp_believed_ours_with_each_of_these_secrets() -> None:
    """Each heard our bow-out and counted on from its counter, which it does only with what it believes."""
    recorded = [{name: entry[name] for name in Configuration.__slots__} for entry in UCARP_DOCUMENT["vectors"]]
    assert sorted(map(str, recorded)) == sorted(
        str({name: getattr(each, name) for name in Configuration.__slots__}) for each in configurations()
    )
    for vector in UCARP:
        assert OUR_COUNTER < vector.counter < OUR_COUNTER + 20
    said = wire.decode(bow_out(configurations()[0]), 255)
    assert isinstance(said, Advertisement) and said.is_bow_out and said.counter == OUR_COUNTER
