"""Who else may read the secrets and keys, or write where the node keeps its state."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from wsa_proxy.doctor.authority import CA_FILE
from wsa_proxy.doctor.facts import Facts
from wsa_proxy.doctor.facts import FileFacts
from wsa_proxy.doctor.finding import Answer
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade

FOLDER = 0o022
"""Others may look into a folder, where the files themselves are closed to them."""
PRIVATE = 0o077
CA_FILES = (CA_FILE, "mitmproxy-ca.p12")
"""Both hold the key."""


def look(path: Path, holds: str, forbidden: int = PRIVATE) -> Iterator[FileFacts]:
    """Nothing for what is not there: whether it should be is another check's question."""
    try:
        yield FileFacts(path, holds, stat.S_IMODE(path.stat().st_mode), forbidden)
    except FileNotFoundError:
        return
    except OSError as error:
        yield FileFacts(path, holds, None, forbidden, error.strerror or str(error))


def check(facts: Facts) -> Iterator[Answer]:
    for each in facts.files:
        if each.mode is None:
            yield NotMade(f"{each.path}: {each.error}")
        elif each.mode & each.forbidden:
            may = "write to" if each.forbidden == FOLDER else "use"
            right = each.mode & ~each.forbidden
            yield Finding(
                f"others may {may} {each.path}, {each.holds}",
                f"its mode is {each.mode:03o}",
                f"chmod {right:03o} {each.path}",
            )
