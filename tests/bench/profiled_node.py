"""The product's addon with a sampler behind it: what profile.py loads into the lab's nodes.

SIGUSR1 begins; the next one ends, and writes what was seen into the folder in PROFILE, into a file with the number of
the process.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.bench.sampler import Sampler
from wsa_proxy.proxy.addon import CarpFailover


class Profiled:
    """Must be signalled when the node is master: the script is loaded long before."""

    def __init__(self) -> None:
        self._sampler = Sampler()
        self._begun = False
        signal.signal(signal.SIGUSR1, lambda *_: self._turn())

    def _turn(self) -> None:
        self._begun = not self._begun
        if self._begun:
            self._sampler.begin()
            return
        path = Path(os.environ["PROFILE"]) / str(os.getpid())
        path.with_suffix(".new").write_text(json.dumps(self._sampler.end()))
        path.with_suffix(".new").rename(path)


addons = [CarpFailover(), Profiled()]
