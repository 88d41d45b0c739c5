"""Sessions begin, are found, and end."""

from __future__ import annotations

from wsa_proxy.admin.sessions import IDLE_S_MAX
from wsa_proxy.admin.sessions import SESSIONS_MAX
from wsa_proxy.admin.sessions import Session
from wsa_proxy.admin.sessions import Sessions


def test_a_session_is_found_by_its_cookie_alone() -> None:
    """No two have the same; neither the name in the log nor the CSRF token opens it."""
    sessions = Sessions()
    one, other = sessions.begin(0.0), sessions.begin(0.0)
    session = sessions.find(one, 1.0)
    assert session is not None and session is sessions.find(one, 2.0)
    assert session is not sessions.find(other, 2.0)
    for wrong in ("", session.name, session.csrf, one[:-1], one + "A", "\ud800"):
        assert sessions.find(wrong, 2.0) is None
    assert one not in repr(session)


def test_a_session_that_is_idle_ends() -> None:
    """One that is used does not."""
    sessions = Sessions()
    used, idle = sessions.begin(0.0), sessions.begin(0.0)
    assert sessions.find(used, IDLE_S_MAX - 1)
    assert sessions.find(used, IDLE_S_MAX + 1)
    assert sessions.find(idle, IDLE_S_MAX + 1) is None
    assert sessions.find(idle, 0.0) is None


def test_a_session_is_ended() -> None:
    """One of them, or all; to end none is harmless."""
    sessions = Sessions()
    one, two, three = (sessions.begin(0.0) for _ in range(3))
    sessions.end(one)
    sessions.end(one)
    assert sessions.find(one, 0.0) is None and sessions.find(two, 0.0) and sessions.find(three, 0.0)
    sessions.end_all()
    assert sessions.find(two, 0.0) is None and sessions.find(three, 0.0) is None


def test_there_is_a_bounded_number() -> None:
    """The one that was not used for longest makes room."""
    sessions = Sessions()
    first, second = sessions.begin(0.0), sessions.begin(1.0)
    assert sessions.find(first, 2.0)
    for n in range(SESSIONS_MAX - 1):
        sessions.begin(3.0 + n)
    assert sessions.find(first, 100.0) and sessions.find(second, 100.0) is None


def test_the_csrf_token_is_compared_whole() -> None:
    """An empty one is none, and text that is no UTF-8 is only wrong."""
    session = Session(0.0)
    assert session.is_csrf(session.csrf)
    for wrong in ("", session.csrf[:-1], session.csrf + "A", Session(0.0).csrf, "\ud800"):
        assert not session.is_csrf(wrong)
