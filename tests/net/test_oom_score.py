"""If memory runs out the kernel ends the proxy, and its guardian lives on, whichever it is."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.net.test_guarding import until
from wsa_proxy.net import oom_score
from wsa_proxy.net.guarding import Guarding
from wsa_proxy.net.oom_score import OomScore


@pytest.mark.parametrize(("given", "after"), [("-500", "0"), ("0", "100"), ("950", "1000")])
def test_how_far_it_goes_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, after: str) -> None:
    """With what the systemd unit gives it is as any other process; while it starts a guardian, as it was before."""
    file = tmp_path / "adj"
    file.write_text(given)
    monkeypatch.setattr(oom_score, "OOM_SCORE_ADJ", file)
    score = OomScore()
    for _ in range(2):
        with score.given():
            assert file.read_text() == given
        assert file.read_text() == after


def test_a_refusal_is_a_line_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The guardian is started all the same."""
    file = tmp_path / "adj"
    file.write_text("0")
    monkeypatch.setattr(oom_score, "OOM_SCORE_ADJ", file)
    score = OomScore()
    file.unlink()
    file.mkdir()
    with score.given():
        assert "may be ended before the proxy if memory runs out: [Errno 21]" in caplog.text
    caplog.clear()
    with OomScore().given():
        assert caplog.text.count("may be ended before the proxy") == 1


def test_each_guardian_has_what_the_proxy_was_given(lan: Any) -> None:
    """Also one that is started in the place of another: by then the proxy has gone before."""
    given = int(oom_score.OOM_SCORE_ADJ.read_text())
    guardian = Guarding(60.0)
    first = guardian.pid
    assert first is not None and score_of(first) == given
    os.kill(first, signal.SIGKILL)
    until(lambda: guardian.drain() == [] and guardian.pid != first)
    assert guardian.pid is not None and score_of(guardian.pid) == given
    assert int(oom_score.OOM_SCORE_ADJ.read_text()) > given or given == oom_score.ADJ_MAX
    guardian.close()


def score_of(process: int) -> int:
    return int(Path(f"/proc/{process}/oom_score_adj").read_text())
