"""Who is let in, and in whose name."""

from __future__ import annotations

import pytest

from wsa_proxy.admin.access import Access
from wsa_proxy.admin.access import TooManyAttempts
from wsa_proxy.admin.access import is_same_origin
from wsa_proxy.admin.attempts import AT_ONCE
from wsa_proxy.admin.attempts import ONE_MORE_AFTER_S
from wsa_proxy.settings import AdminSettings

PASSWORD = "correct horse"


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def made(host: str = "127.0.0.1", password: str | None = PASSWORD) -> tuple[Access, Clock]:
    clock = Clock()
    return Access(AdminSettings(host, 8112, password), clock=clock), clock


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8112", "10.0.0.1", "localhost:9001", "LOCALHOST", "[::1]:8112", "a.example.com:1", "a.example.com."],
)
def test_the_host_is_an_address_or_the_listeners_name(host: str) -> None:
    """Whatever the port: there may be a tunnel in between."""
    assert made("A.example.com")[0].is_meant(host)


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "b.example.com:8112", "localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1:x",
        "[::1", "evil@127.0.0.1", "127.0.0.1/", "127.0.0.1:8112#", "127.1.evil", "127.0.0.1:99999", ":8112", "a b",
    ],
)  # fmt: skip
def test_any_other_host_is_refused(host: str) -> None:
    """DNS rebinding: the browser believes that it speaks with the other site, and says so here."""
    assert not made("a.example.com")[0].is_meant(host)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER "])
async def test_a_bearer_is_let_in(scheme: str) -> None:
    """By each request anew, without a session."""
    access, _ = made()
    asker = await access.asker("10.0.0.9", "", f"{scheme} {PASSWORD}")
    assert asker is not None and asker.session is None and access.still(asker)
    assert str(asker) == "10.0.0.9 (bearer)"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {PASSWORD}", PASSWORD])
async def test_nobody_else_is(authorization: str, caplog: pytest.LogCaptureFixture) -> None:
    """Neither with a word too few nor by another scheme. Who has guessed is told in the log, not what."""
    assert await made()[0].asker("10.0.0.9", "", authorization) is None
    guessed = authorization == "Bearer wrong"
    assert caplog.messages == (["page: 10.0.0.9: a wrong token or password"] if guessed else [])


async def test_a_session_is_begun_and_ended() -> None:
    """By whoever has logged in, until he logs out; the log has a name for it that opens nothing."""
    access, _ = made()
    assert await access.log_in("10.0.0.9", "wrong") is None
    cookie = await access.log_in("10.0.0.9", PASSWORD)
    assert cookie is not None
    asker = await access.asker("10.0.0.8", cookie, "")
    assert asker is not None and asker.session is not None and access.still(asker)
    assert str(asker) == f"10.0.0.8 (session {asker.session.name})" and cookie not in str(asker)
    assert await access.asker("10.0.0.9", cookie + "x", "") is None
    access.log_out(asker)
    assert await access.asker("10.0.0.8", cookie, "") is None and not access.still(asker)


async def test_another_password_ends_everything_of_before() -> None:
    """Sessions, bearers, and those who are inside; other settings end nothing."""
    access, _ = made()
    cookie = await access.log_in("10.0.0.9", PASSWORD)
    assert cookie is not None
    askers = [await access.asker("10.0.0.9", cookie, ""), await access.asker("10.0.0.9", "", f"Bearer {PASSWORD}")]
    assert not access.change(AdminSettings("10.0.0.1", 8113, PASSWORD))
    assert all(asker is not None and access.still(asker) for asker in askers)
    assert access.change(AdminSettings("10.0.0.1", 8113, None))
    assert not any(asker is not None and access.still(asker) for asker in askers)
    assert await access.asker("10.0.0.9", cookie, "") is None
    assert await access.asker("10.0.0.9", "", f"Bearer {PASSWORD}") is None
    assert await access.asker("10.0.0.9", "", f"Bearer {access.secret.token}") is not None


async def test_who_is_wrong_too_often_waits() -> None:
    """With the right password as well, by either way; but a session that is there goes on."""
    access, clock = made()
    cookie = await access.log_in("10.0.0.9", PASSWORD)
    assert cookie is not None
    for n in range(AT_ONCE):
        assert await (access.log_in("10.0.0.9", "x") if n % 2 else access.asker("10.0.0.9", "", "Bearer x")) is None
    for attempt in (access.log_in("10.0.0.9", PASSWORD), access.asker("10.0.0.9", "", f"Bearer {PASSWORD}")):
        with pytest.raises(TooManyAttempts, match="try again in 5 s") as raised:
            await attempt
        assert raised.value.wait_s == ONE_MORE_AFTER_S
    assert await access.asker("10.0.0.9", cookie, "") is not None
    assert await access.log_in("10.0.0.8", PASSWORD) is not None
    clock.now_s = ONE_MORE_AFTER_S
    assert await access.log_in("10.0.0.9", PASSWORD) is not None


async def test_a_password_that_changes_meanwhile_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its hash takes a moment; whoever was right by the old one comes too late."""
    access, _ = made()

    async def is_right(offered: str) -> bool:
        access.change(AdminSettings(password="another"))
        return True

    monkeypatch.setattr(access.secret, "is_right", is_right)
    assert await access.log_in("10.0.0.9", PASSWORD) is None


@pytest.mark.parametrize(
    ("origin", "same"),
    [
        ("http://127.0.0.1:8112", True),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:8113", False),
        ("https://127.0.0.1:8112", False),
        ("http://evil.example", False),
        ("http://127.0.0.1:8112.evil.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_the_origin_is_compared_whole(origin: str, same: bool) -> None:
    """Scheme, host and port."""
    assert is_same_origin(origin, "127.0.0.1:8112") is same
