"""The key ``health``: how the proxy is tested. What each of its keys may hold, and the words for what is wrong."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import PlainValidator

from wsa_proxy.config.source import KeyPath
from wsa_proxy.config.source import Plain
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

LIMIT_S_MIN, LIMIT_S_MAX = 0.1, 60
DESCRIPTORS_MAX = 1_000_000
TIMES_MAX = 100
URL_CHARACTERS_MAX = 2000

URL_TEXT = "must be a URL that starts with http:// or https://, without a user name"
HEALTH_KEYS = ("upstream", "tests")
TEST_KEYS = ("get", "connect", "upstream", "descriptors", "addons", "held")
LIMIT_KEYS = ("limit", "rise", "fall")
HEALTH_ALLOWED = {
    "health": f"must be keys with values; known are {', '.join(HEALTH_KEYS)}",
    "tests": f"must be the names of tests, each with its own keys; known are {', '.join(TEST_KEYS)}",
    **dict.fromkeys(TEST_KEYS, f"must be keys with values; known are {', '.join(LIMIT_KEYS)}"),
    "limit": f"must be a number of seconds from {LIMIT_S_MIN} to {LIMIT_S_MAX}",
    "rise": f"must be a whole number from 1 to {TIMES_MAX}",
    "fall": f"must be a whole number from 1 to {TIMES_MAX}",
}


def known_keys(path: KeyPath) -> tuple[str, ...]:
    """Those that may stand where this path, which begins with ``health``, ends."""
    return {2: HEALTH_KEYS, 3: TEST_KEYS}.get(len(path), LIMIT_KEYS)


def _url(value: Plain) -> str:
    if not isinstance(value, str):
        raise ValueError(URL_TEXT)
    try:
        parts = urlsplit(value)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        right = False
    if not right or not value.isascii() or not value.isprintable() or " " in value or len(value) > URL_CHARACTERS_MAX:
        raise ValueError(URL_TEXT)
    return value


def _number(text: str, least: float, most: float, *, whole: bool) -> PlainValidator:
    def read(value: Plain) -> float:
        right = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
        if not right or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(text)
        return value

    return PlainValidator(read)


_TIMES = _number(HEALTH_ALLOWED["rise"], 1, TIMES_MAX, whole=True)


class HealthPart(BaseModel):
    """Strict, as all keys are."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SecondsKeys(HealthPart):
    """Of a test whose limit is a time."""

    limit: Annotated[float | None, _number(HEALTH_ALLOWED["limit"], LIMIT_S_MIN, LIMIT_S_MAX, whole=False)] = None
    rise: Annotated[int | None, _TIMES] = None
    fall: Annotated[int | None, _TIMES] = None


class CountKeys(HealthPart):
    """Of the test whose limit is how many must be left."""

    limit: Annotated[
        float | None,
        _number(f"must be a whole number from 1 to {DESCRIPTORS_MAX}", 1, DESCRIPTORS_MAX, whole=True),
    ] = None
    rise: Annotated[int | None, _TIMES] = None
    fall: Annotated[int | None, _TIMES] = None


class AllTestsKeys(HealthPart):
    """What is said about the single tests."""

    get: SecondsKeys = SecondsKeys()
    connect: SecondsKeys = SecondsKeys()
    upstream: SecondsKeys = SecondsKeys()
    descriptors: CountKeys = CountKeys()
    addons: SecondsKeys = SecondsKeys()
    held: SecondsKeys = SecondsKeys()


class HealthKeys(HealthPart):
    """The whole key."""

    upstream: Annotated[str | None, PlainValidator(_url)] = None
    tests: AllTestsKeys = AllTestsKeys()


def health_settings(keys: HealthKeys) -> HealthSettings:
    """What the operator wrote, and the usual for the rest."""
    usual, tests = HealthSettings(), keys.tests
    return HealthSettings(
        upstream=keys.upstream,
        get=_limits(tests.get, usual.get),
        connect=_limits(tests.connect, usual.connect),
        upstream_limits=_limits(tests.upstream, usual.upstream_limits),
        descriptors=_limits(tests.descriptors, usual.descriptors),
        addons=_limits(tests.addons, usual.addons),
        held=_limits(tests.held, usual.held),
    )


def _limits(keys: SecondsKeys | CountKeys, usual: Limits) -> Limits:
    limit = usual.limit if keys.limit is None else keys.limit
    return Limits(limit, keys.rise or usual.rise, keys.fall or usual.fall)
