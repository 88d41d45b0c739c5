"""What lets somebody in, and what it costs to be wrong."""

from __future__ import annotations

import asyncio

import argon2
import pytest

from wsa_proxy.admin import secret as module
from wsa_proxy.admin.secret import OFFERED_CHARACTERS_MAX
from wsa_proxy.admin.secret import Secret

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_token_is_made_where_there_is_no_password() -> None:
    """Another one at each start, long enough that nobody guesses it."""
    one, other = Secret(None), Secret(None)
    assert one.token and other.token and one.token != other.token and len(one.token) >= 43
    assert await one.is_right(one.token)
    assert not await one.is_right(other.token)


@pytest.mark.parametrize("password", ["correct horse", "größer als drei €", "$5 and more"])
async def test_a_password_is_the_only_thing_that_is_right(password: str) -> None:
    """There is no token beside it, and neither its beginning nor more than it will do."""
    secret = Secret(password) if not password.startswith("$") else Secret(CHEAP.hash(password))
    assert secret.token is None
    for wrong in ("", password[:-1], password + " ", password.upper(), "x" * (OFFERED_CHARACTERS_MAX + 1), "\ud800"):
        assert not await secret.is_right(wrong), wrong
    assert await secret.is_right(password)


async def test_the_hash_itself_opens_nothing() -> None:
    """Whoever has read the file has not yet the password."""
    hashed = CHEAP.hash("correct horse")
    secret = Secret(hashed)
    assert not await secret.is_right(hashed)
    assert await secret.is_right("correct horse")
    assert not await secret.is_right(hashed)


async def test_a_hash_that_cannot_be_reckoned_lets_nobody_in() -> None:
    """One that was cut off in the file."""
    assert not await Secret("$argon2id$v=19$m=8,t=1,p=1$AAAA").is_right("")


async def test_what_was_right_once_is_not_reckoned_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scraper comes every few seconds; what is wrong costs the whole time again."""
    reckoned: list[str] = []

    def verify(hashed: str, offered: str) -> bool:
        reckoned.append(offered)
        return offered == "right"

    monkeypatch.setattr(module, "_verify", verify)
    secret = Secret("$argon2...")
    answers = await asyncio.gather(*(secret.is_right(each) for each in ("right", "right", "wrong", "right", "wrong")))
    assert answers == [True, True, False, True, False]
    assert reckoned == ["right", "wrong", "wrong"]


async def test_what_no_password_can_be_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that is longer than any is not even reckoned."""
    monkeypatch.setattr(module, "_verify", lambda hashed, offered: True)
    secret = Secret("$argon2...")
    assert not await secret.is_right("x" * (OFFERED_CHARACTERS_MAX + 1))
    assert await secret.is_right("x" * OFFERED_CHARACTERS_MAX)


async def test_one_hash_is_reckoned_at_a_time_and_the_loop_turns_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of logins must not take the proxy's processors and memory, or hold its loop up."""
    loop = asyncio.get_running_loop()
    under_way, most, turned = 0, 0, asyncio.Event()

    def verify(hashed: str, offered: str) -> bool:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        # The thread waits for a turn of the loop: if the loop waited for it, neither would ever end.
        asyncio.run_coroutine_threadsafe(turned.wait(), loop).result(10)
        under_way -= 1
        return False

    monkeypatch.setattr(module, "_verify", verify)
    secret = Secret("$argon2...")
    loop.call_later(0.01, turned.set)
    assert await asyncio.gather(*(secret.is_right(str(n)) for n in range(8))) == [False] * 8
    assert most == 1
