"""What is said of the machine is what the machine says."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from wsa_proxy import __version__
from wsa_proxy.bench import machine
from wsa_proxy.bench import programs
from wsa_proxy.bench.products import Kind


def test_the_versions_of_what_is_measured() -> None:
    """And of what is below it; a peer that is not measured has none."""
    found = machine.versions([Kind.OURS, Kind.UCARP, Kind.UCARP])
    assert found["wsa-proxy"] == __version__ and found["Python"] == platform.python_version()
    assert found["mitmproxy"].startswith("12.") and found["ucarp"] == programs.version("ucarp")
    assert "keepalived" not in found


def test_the_machine() -> None:
    """In the words of its kernel."""
    found = machine.machine()
    assert found["processors"].startswith(f"{os.cpu_count()} x ")
    assert os.uname().release in found["kernel"] and found["memory"].endswith(" GiB")
    assert machine.load() >= 0


def test_the_processor_has_a_name(tmp_path: Path) -> None:
    """On x86 /proc/cpuinfo has it; elsewhere that of the architecture does."""
    information = tmp_path / "cpuinfo"
    information.write_text("processor\t: 0\nmodel name\t: A Processor: mark 2\nprocessor\t: 1\n")
    assert machine._processor(information) == "A Processor: mark 2"
    information.write_text("processor\t: 0\nBogoMIPS\t: 50.00\n")
    assert machine._processor(information) == platform.machine()


def test_a_busy_machine_is_named() -> None:
    """Others' work for more processors than there are: requests may start in time, and a peer's check fail all the
    same."""
    assert machine.busy_text({"before": 2.0, "processors": 2.0}) is None
    assert "load 9.6" in (machine.busy_text({"before": 9.6, "processors": 2.0}) or "")
