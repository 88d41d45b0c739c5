from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.config.example import GOOD
from tests.config.example import HOST
from wsa_proxy.config import check as module
from wsa_proxy.config.check import Resolve
from wsa_proxy.config.check import _addresses_of
from wsa_proxy.config.check import check


def report(
    text: str, capsys: pytest.CaptureFixture[str], resolve: Resolve = lambda _: frozenset({"10.0.0.3"})
) -> list[str]:
    """What `wsa-proxy check f.yaml` prints, with its exit status as the last line."""
    file = Path("f.yaml")
    file.write_text(text)
    file.chmod(0o600)
    status = check(file, host=HOST, resolve=resolve)
    return [*capsys.readouterr().out.splitlines(), str(status)]


def test_a_right_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One line for each group with what CARP makes of it, then `no errors` and status 0; nothing is created."""
    assert report(GOOD.replace("255", "200"), capsys) == [
        f"node a, preemptive, state in {tmp_path}/state",
        "group 1: 10.0.0.3/24 port 8080 on eth0; priority 200 -> advskew 55; advertises every 1.215 s;"
        " as backup takes over after 3.215 s of silence (3 lost advertisements of a master of priority 237 or more)",
        "no errors",
        "0",
    ]
    assert sorted(tmp_path.iterdir()) == [tmp_path / "f.yaml"]


def test_whom_the_advertisements_go_to(capsys: pytest.CaptureFixture[str]) -> None:
    """With unicast peers the line of the group names them."""
    lines = report(GOOD + "    peers: [10.0.0.2, 10.9.0.1]\n", capsys)
    assert " advertises every 1.000 s to 10.0.0.2, 10.9.0.1;" in lines[1]


def test_a_wrong_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Every error, then every warning, the count and status 1."""
    text = GOOD.replace("id: 1", "id: 300").replace("twelve-bytes!", "short").replace("handling: p", "handling: np")
    assert report(text, capsys) == [
        "f.yaml:2: failover_handling: npreemptive: must be preemptive or non-preemptive; did you mean preemptive?",
        "f.yaml:5: groups[0].id: 300: must be a whole number from 1 to 255",
        "warning: f.yaml:10: groups[0].shared_secret: has only 5 bytes and can be guessed; 12 to 19 are better",
        "2 errors",
        "1",
    ]


def test_intervals_below_one_second(capsys: pytest.CaptureFixture[str]) -> None:
    """They come with the table of the lowest usable priorities."""
    lines = report(GOOD + "    advertisement_interval: 0.05\n", capsys)
    assert "  interval s  lowest usable priority" in lines
    assert "  0.05        14" in lines
    assert lines[-2:] == ["no errors", "0"]


def refuse(_: str) -> frozenset[str]:
    raise OSError(-2, "Name or service not known")


@pytest.mark.parametrize(
    ("resolve", "wrong"),
    [
        (refuse, "cannot be resolved (Name or service not known)"),
        (lambda _: frozenset({"10.0.0.1"}), "resolves to 10.0.0.1"),
    ],
)
def test_hostname_leads_elsewhere(resolve: Resolve, wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A host name that does not lead to the virtual IP is a warning: the file can be run."""
    lines = report(GOOD, capsys, resolve)
    assert lines[0] == (
        f"warning: f.yaml:6: groups[0].hostname: proxy.example.com: {wrong}; it should lead to 10.0.0.3,"
        " or browsers will not find the proxy by its name"
    )
    assert lines[-2:] == ["no errors", "0"]


def test_dead_name_server(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that does not answer keeps nobody waiting."""
    monkeypatch.setattr(module, "RESOLVE_TIMEOUT_S", 0.01)
    never = threading.Event()

    def hang(_: str) -> frozenset[str]:
        never.wait(60)
        return frozenset()

    lines = report(GOOD, capsys, hang)
    never.set()
    assert "cannot be resolved within 0.01 s" in lines[0]
    assert lines[-1] == "0"


def test_a_name_with_a_link_local_address_of_some_interface(capsys: pytest.CaptureFixture[str]) -> None:
    """The resolver may name an interface (a line of /etc/hosts with fe80::3%eth0); it is the address that counts."""
    assert _addresses_of("fe80::3%lo") == {"fe80::3"}


def document(text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """The exit status and the document of ``--json``."""
    file = Path("f.yaml")
    file.write_text(text)
    file.chmod(0o600)
    status = check(file, as_json=True, host=HOST, resolve=lambda _: frozenset({"10.0.0.3"}))
    return status, json.loads(capsys.readouterr().out)


def test_the_same_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    """A right file has groups, a wrong one has errors; neither shows a secret."""
    status, said = document(GOOD.replace("255", "200").replace("twelve-bytes!", "short"), capsys)
    (warning,) = said.pop("warnings")
    assert (warning["line"], warning["key"], warning["value"]) == (10, "groups[0].shared_secret", None)
    group = {
        "id": 1, "virtual_ip": ["10.0.0.3/24"], "port": 8080, "interface": "eth0", "priority": 200, "advskew": 55,
        "advertises_every_s": 1.215, "takes_over_after_s": 3.215,
    }  # fmt: skip
    assert (status, said) == (0, {"file": "f.yaml", "node": "a", "groups": [group], "errors": []})
    status, said = document(GOOD.replace("id: 1", "id: 300"), capsys)
    error = {"line": 5, "key": "groups[0].id", "value": "300", "text": "must be a whole number from 1 to 255"}
    assert (status, said["errors"], said["groups"], said["node"]) == (1, [error], None, None)
