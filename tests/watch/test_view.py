"""The table fits its terminal, says first what matters most, and shows nothing of the network but numbers."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from rich.console import Console

from tests.watch.packets import BEGIN_S
from tests.watch.packets import F1
from tests.watch.packets import MAC_B
from tests.watch.packets import Sender
from tests.watch.packets import captured
from tests.watch.packets import configuration
from tests.watch.packets import vrrp_2
from wsa_proxy.watch.groups import read_groups
from wsa_proxy.watch.session import Session
from wsa_proxy.watch.view import render


def drawn(session: Session, at_s: float, columns: int = 80, lines: int | None = 24) -> list[str]:
    """What stands on a terminal of that size."""
    console = Console(file=io.StringIO(), width=columns, height=lines or 1000, color_system=None)
    size = None if lines is None else (columns, lines)
    with console.capture() as capture:
        console.print(render(session.snapshot(BEGIN_S + at_s, ["a note"], size, "Ctrl-C or q ends")))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_story_of_a_wrong_secret(tmp_path: Path) -> None:
    """On 80 columns: no master, who is refused and why, and the numbers of the sender."""
    session = Session("eth0", read_groups(configuration(tmp_path), None))
    other = Sender(secret="other-secret-2")
    for second in range(4):
        session.take(captured(other.payload(second, 1, 55), second, "10.0.0.2", MAC_B))
    lines = drawn(session, 3.4)
    assert lines[0] == "wsa-proxy watch  eth0  4 heard from 1 sender in 3 s"
    assert lines[1:3] == [
        "id 1 proxy.example.com: NO MASTER that a node believes, for 3 s; not believed:",
        "10.0.0.2 (bad_secret)",
    ]
    assert lines[3:6] == ["a note", "", "id  sender    interval  skew  prio  dem   seen  count  rate  verdict"]
    assert lines[6] == " 1  10.0.0.2    1.21 s    55   200    0  0.4 s      4   1/s  bad_secret"
    assert lines[7].startswith("    CARP from 02:00:00:00:00:0b, sealed ")
    assert lines[8] == "    signed with another secret, or for other virtual IPs than 10.0.0.3"
    assert lines[9] == "Ctrl-C or q ends"


def test_without_a_file_it_says_how_to_verify() -> None:
    """The word unverified comes with the hint."""
    session = Session("eth0", None)
    session.take(captured(F1.packet))
    text = "\n".join(drawn(session, 0.5))
    assert "unverified" in text and "--config /etc/wsa-proxy/node.yaml" in text


def test_silence_is_seen() -> None:
    """Who advertises no more has no rate; how long ago it was heard stands there."""
    session = Session("eth0", None)
    for second in range(3):
        session.take(captured(F1.packet, second))
    assert "7.0 s      3        unverified" in "\n".join(drawn(session, 9.0))


@settings(max_examples=40)
@given(st.integers(40, 200), st.integers(8, 50), st.integers(0, 60))
def test_it_fits_any_terminal(columns: int, lines: int, senders: int) -> None:
    """However many senders there are, the screen has no more lines than the terminal, and says how many are missing."""
    session = Session("eth0", None)
    for number in range(senders):
        session.take(captured(vrrp_2(vrid=1), 0.0, f"fd00:77::1:{number:x}"))
    screen = drawn(session, 0.1, columns, lines)
    if lines >= 24:
        assert len(screen) <= lines
    if senders > lines:
        assert any("more senders" in line for line in screen)


@settings(max_examples=40)
@given(st.binary(max_size=60), st.text(st.sampled_from("a\x1b[2J\x9b\r\n\u202e"), max_size=16))
@example(b"", "\x1b[2J")
def test_no_control_character_reaches_the_terminal(payload: bytes, interface: str) -> None:
    """Also where a capture's interfaces have names that somebody chose."""
    session = Session("eth0", None)
    for name in (interface, "eth0"):
        session.take(replace(captured(F1.packet[:4] + payload), interface=name))
    assert all(line.isprintable() for line in drawn(session, 0.1, lines=None))


def test_rich_markup_is_text() -> None:
    """Square brackets in a name style nothing."""
    session = Session("[bold red]eth0[/]", None)
    session.take(replace(captured(F1.packet), interface="[red]"))
    session.take(captured(F1.packet))
    text = "\n".join(drawn(session, 0.1))
    assert "[bold red]eth0[/]" in text and "on [red]" in text
