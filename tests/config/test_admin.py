"""The key ``admin``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.admin import ADMIN_ALLOWED
from wsa_proxy.config.admin import ADMIN_KEYS
from wsa_proxy.config.admin import LISTEN_TEXT
from wsa_proxy.config.admin import PASSWORD_CHARACTERS_MAX
from wsa_proxy.config.admin import AdminKeys
from wsa_proxy.settings import AdminSettings

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b7dWRWJTmaaJObG"


def with_admin(text: str) -> str:
    return f"{GOOD}admin: {text}\n"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("{}", AdminSettings("127.0.0.1", 8112, None)),
        ("{listen: off}", None),
        ('{listen: "off"}', None),
        ('{listen: "127.0.0.1:9000"}', AdminSettings("127.0.0.1", 9000)),
        ("{listen: localhost:9000}", AdminSettings("localhost", 9000)),
        ('{listen: "[::1]:8112"}', AdminSettings("::1", 8112)),
        ('{listen: "[::ffff:127.0.0.1]:1"}', AdminSettings("::ffff:127.0.0.1", 1)),
        ('{listen: "a-1.example.com:65535", password: x}', AdminSettings("a-1.example.com", 65535, "x")),
        ("{password: größer als €}", AdminSettings(password="größer als €")),
        (f"{{password: '{HASH}'}}", AdminSettings(password=HASH)),
    ],
)
def test_what_is_written_is_taken(tmp_path: Path, text: str, settings: AdminSettings | None) -> None:
    """And what is left out is the usual."""
    assert loaded(tmp_path, GOOD).settings.admin == AdminSettings()
    assert loaded(tmp_path, with_admin(text)).settings.admin == settings


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("on", "11: admin: on: must be keys with values; known are listen, password"),
        ("", "11: admin: has no value; write one or remove the line"),
        ("{listen: 8112}", f"11: admin.listen: 8112: {LISTEN_TEXT}"),
        ('{listen: "8112"}', f"11: admin.listen: \"8112\": {LISTEN_TEXT}"),
        ('{listen: ":8112"}', f"11: admin.listen: \":8112\": {LISTEN_TEXT}"),
        ('{listen: "127.0.0.1"}', f"11: admin.listen: \"127.0.0.1\": {LISTEN_TEXT}"),
        ('{listen: "127.0.0.1:0"}', f"11: admin.listen: \"127.0.0.1:0\": {LISTEN_TEXT}"),
        ('{listen: "127.0.0.1:65536"}', f"11: admin.listen: \"127.0.0.1:65536\": {LISTEN_TEXT}"),
        ('{listen: "127.0.0.256:80"}', f"11: admin.listen: \"127.0.0.256:80\": {LISTEN_TEXT}"),
        ('{listen: "::1:8112"}', f"11: admin.listen: \"::1:8112\": {LISTEN_TEXT}"),
        ('{listen: "[127.0.0.1]:8112"}', f"11: admin.listen: \"[127.0.0.1]:8112\": {LISTEN_TEXT}"),
        ('{listen: "[::g]:8112"}', f"11: admin.listen: \"[::g]:8112\": {LISTEN_TEXT}"),
        ('{listen: "http://a:8112"}', f"11: admin.listen: \"http://a:8112\": {LISTEN_TEXT}"),
        ('{listen: "a..b:8112"}', f"11: admin.listen: \"a..b:8112\": {LISTEN_TEXT}"),
        ("{listen: on}", f"11: admin.listen: on: {LISTEN_TEXT}"),
        ("{listen: [a]}", f"11: admin.listen: {LISTEN_TEXT}"),
        ("{port: 8113}", "11: admin.port: unknown key; known here are listen, password"),
        ("{pasword: hunter2}", "11: admin.pasword: unknown key; did you mean password?"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    """The key in full, what is allowed; and only that."""
    assert told(tmp_path, with_admin(text)) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{password: 20261129}", f"{ADMIN_ALLOWED['password']}; put it in quotes"),
        ("{password: [hunter2]}", ADMIN_ALLOWED["password"]),
        ('{password: "hunter2\\n"}', ADMIN_ALLOWED["password"]),
        (f"{{password: {'hunter2' * 40}}}", ADMIN_ALLOWED["password"]),
        ('{password: ""}', "is empty; write one, or remove the line: a random token is told at each start then"),
        ("{password: $hunter2}", "starts with $ and is no argon2 hash; write the whole hash in single quotes"),
        ("{password: ~}", 'has no value; write one or remove the line; one that starts with # & ! or * needs quotes'),
    ],
)  # fmt: skip
def test_a_wrong_password_is_told_without_it(tmp_path: Path, text: str, line: str) -> None:
    """Not even in part."""
    found = told(tmp_path, with_admin(text))
    assert found == f"11: admin.password: {line}"


def test_the_longest_password(tmp_path: Path) -> None:
    """One character less than what is refused."""
    password = "x" * PASSWORD_CHARACTERS_MAX
    admin = loaded(tmp_path, with_admin(f"{{password: {password}}}")).settings.admin
    assert admin is not None and admin.password == password and password not in repr(admin)


def test_every_key_has_its_words() -> None:
    """No sentence is left over."""
    assert tuple(AdminKeys.model_fields) == ADMIN_KEYS
    assert set(ADMIN_ALLOWED) - {"admin"} == set(ADMIN_KEYS)
