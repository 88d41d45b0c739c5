"""What was made at the start costs no collection later."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import gc
from wsa_proxy.proxy.collector import spare_the_collector

class Cycle:
    def __init__(self):
        self.itself = self
    def __del__(self):
        ended.append(self)

gc.disable()  # nobody else collects
ended = []
garbage = [Cycle() for _ in range(5)]
del garbage
spare_the_collector()
print(len(ended), gc.get_freeze_count() > 1000, len(gc.get_objects()) < 100)
later = Cycle()
del later
gc.collect()
print(len(ended))
"""


RESTING = """
import gc
from wsa_proxy.proxy.collector import at_rest

try:
    with at_rest():
        made, resting = [[] for _ in range(5000)], not gc.isenabled()
        raise ImportError
except ImportError:
    print(resting, gc.isenabled(), gc.get_freeze_count() >= 5000, any(each is made for each in gc.get_objects()))
"""


def test_imports_are_not_disturbed_and_their_objects_are_frozen() -> None:
    """Also when one of them fails, the collector works again."""
    done = subprocess.run([sys.executable, "-c", RESTING], capture_output=True, text=True, check=True)
    assert done.stdout == "True True True False\n"


def test_what_is_there_is_frozen_and_what_comes_is_collected() -> None:
    """Garbage of the start is gone first, or it would be kept for ever."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "5 True True\n6\n"
