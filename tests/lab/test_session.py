from __future__ import annotations

from pathlib import Path

import pytest

from wsa_proxy import cli
from wsa_proxy.lab import namespace
from wsa_proxy.lab.faults import NodeFault
from wsa_proxy.lab.lab import NotBack
from wsa_proxy.lab.script import parse
from wsa_proxy.lab.session import play

NODES = "ab"


class FakeLab:
    """Notes what is asked of it; refuses one thing."""

    def __init__(self, refuses: str = "", error: type[Exception] = NodeFault) -> None:
        self.done: list[str] = []
        self.applied: list[object] = []
        self._refuses = refuses
        self._error = error

    def _do(self, text: str) -> None:
        if text == self._refuses:
            raise self._error("it makes no sense now")
        self.done.append(text)

    def apply(self, fault: object, *targets: str) -> None:
        self._do(f"{getattr(fault, 'word', '')} {' '.join(targets)}")

    def wait_service(self) -> None:
        self._do("wait")

    def settle(self) -> None:
        self._do("settle")


def test_a_run_ends_with_the_answer_whether_the_service_came_back() -> None:
    """A script with faults that does not end with a wait gets one."""
    lab = FakeLab()
    play(lab, parse("kill a; settle", NODES), say=lambda line: None)  # type: ignore[arg-type]
    assert lab.done == ["kill a", "settle", "wait"]


@pytest.mark.parametrize("kind", [NodeFault, NotBack])
def test_a_step_that_fails_ends_the_run_and_is_named(kind: type[Exception]) -> None:
    """Nothing after it is done; an impossible fault stays apart from a service that did not come back."""
    lab = FakeLab("kill a", kind)
    with pytest.raises(kind, match=r"step 2, 'kill a': it makes no sense now"):
        play(lab, parse("wait; kill a; settle", NODES), say=lambda line: None)  # type: ignore[arg-type]
    assert lab.done == ["wait"]


def test_where_namespaces_are_refused_no_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither made nor emptied: what stands there may be of an earlier run."""
    monkeypatch.setattr(namespace, "refusal", lambda: "the kernel refuses namespaces")
    monkeypatch.setattr(namespace, "run", lambda work: pytest.fail("it was run all the same"))
    document, logs = tmp_path / "measured.json", tmp_path / "logs"
    document.write_text("an earlier run")
    assert cli.main(["lab", "--script", "kill a", "--json", str(document), "--logs", str(logs)]) == 77
    assert document.read_text() == "an earlier run" and not logs.exists()
    assert capsys.readouterr().err == "wsa-proxy lab: the kernel refuses namespaces\n"
