"""Transactions of nf_tables: all or nothing, and the kernel's reason."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from tests.net.steered import nft
from wsa_proxy.net import nft_socket
from wsa_proxy.net.nft_messages import SetDescription
from wsa_proxy.net.nft_messages import delete_table
from wsa_proxy.net.nft_messages import new_chain
from wsa_proxy.net.nft_messages import new_elements
from wsa_proxy.net.nft_messages import new_set
from wsa_proxy.net.nft_messages import new_table
from wsa_proxy.net.nft_socket import NftSocket


def test_all_or_nothing(lan: Any) -> None:
    """The first reason is told, and nothing of it is there; the next transaction does not hear of it again."""
    with_errors = [new_table("here"), new_chain("nowhere", "one"), new_table("here"), delete_table("neither")]
    ours = NftSocket()
    with pytest.raises(FileNotFoundError):
        ours.transact(with_errors)
    assert nft("list", "ruleset") == ""
    ours.transact([new_table("here")])
    with pytest.raises(FileExistsError):
        ours.transact([new_table("here")])
    assert nft("list", "tables") == "table netdev here\n"


def test_a_large_transaction_is_one(lan: Any) -> None:
    """65,536 clients, more than the buffers of a socket take as they come; then the last message is refused."""
    ours = NftSocket()
    described = SetDescription("clients", (1, 1, 1, 1), 40, is_map=True)
    keys = [bytes(36) + number.to_bytes(4) for number in range(65_536)]
    elements = new_elements("here", "clients", ((key, bytes(6)) for key in keys))
    assert sum(map(len, elements)) > 4 * 1024 * 1024
    messages = [new_table("here"), new_set("here", described), *elements]
    with pytest.raises(FileNotFoundError):
        ours.transact([*messages, new_chain("nowhere", "one")])
    assert nft("list", "ruleset") == ""
    ours.transact(messages)
    ours.transact([delete_table("here")])


def test_many_errors(lan: Any) -> None:
    """Their answers are many too: the first is told, and none is left for the next transaction."""
    ours = NftSocket()
    with pytest.raises(FileNotFoundError):
        ours.transact([new_chain("nowhere", f"chain{number}") for number in range(3000)])
    ours.transact([new_table("here")])


def test_without_an_answer_nobody_knows(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel has not said that it has done it: that is an error, not a success."""
    monkeypatch.setattr(nft_socket, "NLM_F_ACK", 0)
    with pytest.raises(OSError, match="did not acknowledge") as raised:
        NftSocket().transact([new_table("here")])
    assert raised.value.errno == errno.EPROTO


def test_without_the_right_to_a_large_buffer(lan: Any) -> None:
    """Small transactions work all the same, were there a right to them; here there is none at all."""
    lan.lose_privileges()
    with pytest.raises(PermissionError):
        NftSocket().transact([new_table("here")])


def test_the_sequence_numbers_begin_anew(lan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they leave 31 bits; a table that is made every second reaches that after decades, or never."""
    monkeypatch.setattr(nft_socket, "_SEQUENCE_MAX", 20)
    ours = NftSocket()
    for _ in range(10):
        ours.transact([new_table("here"), delete_table("here")])
    assert ours._sequence <= 20


def test_each_socket_has_a_number_of_its_own(lan: Any) -> None:
    """By it tables of several processes of one host are told apart, also where all of them are number 1."""
    sockets = [NftSocket() for _ in range(3)]
    assert len({each.port for each in sockets}) == 3
    for each in sockets:
        each.close()
        each.close()
