"""What processes take, against what is known of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tests.bench import process_usage

WORK = "sum(range(10_000_000)); print('done', flush=True); input()"
FAMILY = f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {WORK!r}]); child.wait()"


def test_a_family_is_found_and_its_work_counted() -> None:
    """A child's child is a descendant; its work is its own while it runs, and its parent's when it has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None and parent.stdin is not None
        parent.stdout.readline()
        (child,) = process_usage.descendants(parent.pid)
        assert {parent.pid, child} <= set(process_usage.descendants(os.getpid()))
        worked_s = process_usage.processor_s([child])
        assert worked_s > 0.05, worked_s
        both = process_usage.memory([parent.pid, child])
        alone = process_usage.memory([child])
        assert 3 < alone.pss < both.pss < both.rss < 100 and alone.pss < alone.rss
        parent.stdin.write("\n")
    assert parent.returncode == 0


def test_who_has_ended_takes_nothing() -> None:
    """Whether its parent has waited for it or not."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    while process_usage.memory([ended.pid]).rss:
        time.sleep(0.01)  # a zombie has none
    ended.wait()
    assert process_usage.processor_s([ended.pid]) == 0
    assert process_usage.memory([ended.pid]) == process_usage.Memory(0, 0)
    assert process_usage.descendants(ended.pid) == []


def test_the_work_of_a_child_that_has_ended_is_counted() -> None:
    """keepalived's check script lives for a moment, again and again."""
    before_s = process_usage.processor_s([os.getpid()])
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    assert process_usage.processor_s([os.getpid()]) - before_s > 0.05


def test_the_processor_time_is_that_of_the_process() -> None:
    """Its own and that of its children, in their code and in the kernel, as it knows them itself."""
    before_s = sum(os.times()[:4])
    assert before_s - 0.04 <= process_usage.processor_s([os.getpid()]) <= sum(os.times()[:4]) + 0.04
