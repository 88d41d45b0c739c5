"""What holds for every test: skips can be forbidden, hypothesis repeats itself, tools of the system are found."""

from __future__ import annotations

import os
import signal

import pytest
from _pytest.terminal import TerminalReporter
from hypothesis import settings

from tests.cable import lan
from tests.cable import pytest_pyfunc_call

__all__ = ["lan", "pytest_pyfunc_call"]  # a cable between two hosts for every test that asks for one

# The same examples in every run, so a red run can be repeated; no deadline, since the machines are shared.
settings.register_profile("repeatable", derandomize=True, deadline=None)
# For a long look around: pytest --hypothesis-profile=explore
settings.register_profile("explore", max_examples=2000, deadline=None)
settings.load_profile("repeatable")

# nft, tcpdump and ip live where an ordinary user's shell does not look.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


# Under nohup, or behind an "&" of a shell, signals are ignored, and so they would be by every process that is started.
for each in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(each) is signal.SIG_IGN:
        signal.signal(each, signal.default_int_handler if each is signal.SIGINT else signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test makes the run fail, with the list of them")
    parser.addoption("--rewrite-golden", action="store_true", help="write tests/golden/*.txt anew; then read the diff")
    parser.addoption("--record-captures", action="store_true", help="write tests/interop/captures/*.pcap from this run")


def skipped_tests(config: pytest.Config) -> list[str]:
    """One line for each test (or file) that was skipped: its name and the reason."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not isinstance(reporter, TerminalReporter):
        return []
    lines = []
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        lines.append(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")
    return lines


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--no-skips") and session.exitstatus == 0 and skipped_tests(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    skipped = skipped_tests(config)
    if skipped and config.getoption("--no-skips"):
        terminalreporter.section("FAILED: tests were skipped, and --no-skips forbids it", red=True)
        for line in skipped:
            terminalreporter.write_line(line)
