"""The key ``admin``: where the node's page listens, and the password that opens it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Annotated

import argon2
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import PlainValidator

from wsa_proxy.config.source import Plain
from wsa_proxy.settings import AdminSettings

OFF = "off"
_USUAL = AdminSettings()
PASSWORD_CHARACTERS_MAX = 256
LISTEN = re.compile(
    r"(\[(?P<in_brackets>[0-9A-Fa-f:.]+)\]|(?P<numbers>[0-9.]+)|(?P<name>[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*))"
    r":(?P<port>[0-9]{1,5})"
)
ADMIN_KEYS = ("listen", "password")
LISTEN_TEXT = 'must be "ADDRESS:PORT" such as "127.0.0.1:8112", an IPv6 address in brackets, or "off"'
ADMIN_ALLOWED = {
    "admin": f"must be keys with values; known are {', '.join(ADMIN_KEYS)}",
    "listen": LISTEN_TEXT,
    "password": f"must be text on one line, {PASSWORD_CHARACTERS_MAX} characters at most, or an argon2 hash of it",
}


def _listen(value: Plain) -> tuple[str, int] | None:
    """Host and port; None: the page is off."""
    if value == OFF or value is False:  # without quotes YAML makes a truth value of it
        return None
    found = LISTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None or not 1 <= int(found["port"]) <= 65535:
        raise ValueError(LISTEN_TEXT)
    for version, address in ((6, found["in_brackets"]), (4, found["numbers"])):
        if address and not _is_address(address, version):
            raise ValueError(LISTEN_TEXT)
    return found["in_brackets"] or found["numbers"] or found["name"], int(found["port"])


def _is_address(text: str, version: int) -> bool:
    try:
        return ip_address(text).version == version
    except ValueError:
        return False


def _password(value: Plain) -> str:
    if not isinstance(value, str):
        hint = "; put it in quotes" if isinstance(value, int | float) else ""
        raise ValueError(f"{ADMIN_ALLOWED['password']}{hint}")
    if not value:
        raise ValueError("is empty; write one, or remove the line: a random token is told at each start then")
    if not value.isprintable() or len(value) > PASSWORD_CHARACTERS_MAX:
        raise ValueError(ADMIN_ALLOWED["password"])
    if value.startswith("$"):
        try:
            argon2.extract_parameters(value)
        except argon2.exceptions.InvalidHashError:
            raise ValueError("starts with $ and is no argon2 hash; write the whole hash in single quotes") from None
    return value


class AdminKeys(BaseModel):
    """Strict, as all keys are."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    listen: Annotated[tuple[str, int] | None, PlainValidator(_listen)] = (_USUAL.host, _USUAL.port)
    password: Annotated[str | None, PlainValidator(_password)] = None


def admin_settings(keys: AdminKeys) -> AdminSettings | None:
    """The frozen settings; None when the page is off."""
    return None if keys.listen is None else AdminSettings(*keys.listen, keys.password)
