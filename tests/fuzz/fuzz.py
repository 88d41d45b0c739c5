"""One target under atheris, which looks for inputs that reach new code: ``python -m tests.fuzz.fuzz codec FOLDER``.

What follows the target's name goes to libFuzzer as it is. ``make fuzz`` calls this for each target in turn.
"""

from __future__ import annotations

import logging
import shlex
import sys

import atheris

INSTRUMENTED = [
    "wsa_proxy.carp",
    "wsa_proxy.net.packet_socket",
    "wsa_proxy.runtime.driver",
    "wsa_proxy.runtime.identity",
]


def main() -> None:
    """Fuzz until libFuzzer's flags say stop; leaves the process with libFuzzer's exit code, 0 when nothing broke."""
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz import targets
    logging.disable()  # the driver's lines about rejected packets
    name = sys.argv[1]
    # -merge=1 starts this program anew through a shell, by what stands in the place of its name.
    itself = f"{shlex.quote(sys.executable)} -m tests.fuzz.fuzz {name}"
    atheris.Setup([itself, *sys.argv[2:]], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
