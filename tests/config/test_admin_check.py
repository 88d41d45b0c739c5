"""Where the page must not be, and what its operator is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import HOST
from tests.config.example import told
from wsa_proxy.config import load
from wsa_proxy.config.admin_check import OPEN_TEXT
from wsa_proxy.config.admin_check import is_loopback


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("{}", ""),
        ('{listen: "localhost:8112"}', ""),
        ('{listen: "[::1]:8112"}', ""),
        ('{listen: "10.0.0.1:8112", password: a}', ""),
        ('{listen: "10.0.0.1:8112"}', f"warning 11: admin.listen: 10.0.0.1:8112: {OPEN_TEXT}"),
        ('{listen: "0.0.0.0:8112"}', f"warning 11: admin.listen: 0.0.0.0:8112: {OPEN_TEXT}"),
        ('{listen: "[fd00::1]:8112"}', f"warning 11: admin.listen: [fd00::1]:8112: {OPEN_TEXT}"),
        ('{listen: "a.example.com:8112"}', f"warning 11: admin.listen: a.example.com:8112: {OPEN_TEXT}"),
        ('{listen: "off", password: a}', "warning 11: admin.password: has no effect with listen: off"),
        (
            '{listen: "127.0.0.1:8080"}',
            "11: admin.listen: 127.0.0.1:8080: port 8080 is the proxy's; choose another one",
        ),
        (
            '{listen: "10.0.0.3:8112", password: a}',
            "11: admin.listen: 10.0.0.3:8112: is a virtual IP, which moves from node to node; write an address that is"
            " this node's own",
        ),
    ],
)
def test_the_page_is_the_nodes_own(tmp_path: Path, text: str, lines: str) -> None:
    """Not on the virtual IP, not on the proxy's port; whoever opens it to others without a password hears so."""
    assert told(tmp_path, f"{GOOD}admin: {text}\n") == lines


def test_a_groups_own_port_counts(tmp_path: Path) -> None:
    """And mitmproxy's is free then."""
    text = GOOD + '    port: 3128\nadmin: {listen: "127.0.0.1:%d"}\n'
    assert told(tmp_path, text % 8080) == ""
    assert told(tmp_path, text % 3128).endswith("port 3128 is the proxy's; choose another one")


def test_a_file_with_a_password_is_for_its_owner(tmp_path: Path) -> None:
    """As one with a Shared Secret; there may be one of the two alone."""
    text = GOOD.replace("    shared_secret: twelve-bytes!\n", "") + "admin: {password: a}\n"
    assert "others may use" not in told(tmp_path, text)
    Path("f.yaml").chmod(0o640)
    warnings = [str(warning) for warning in load(Path("f.yaml"), host=HOST).warnings]
    assert any("admin.password: others may use this file (mode 640)" in warning for warning in warnings), warnings


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("a.b", False)],
)
def test_loopback_is_known_by_its_address(host: str, loopback: bool) -> None:
    """A name may lead anywhere."""
    assert is_loopback(host) is loopback
