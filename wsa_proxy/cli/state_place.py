"""Where a configuration keeps its state, read without the checks of ``config``: those load half a second of libraries,
and ``status FILE`` should answer at once. Only what is plain is read here; the rest is left to the real reader.
"""

from __future__ import annotations

from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from wsa_proxy.cli.asking import STATE_DIR_USUAL

FILE_BYTES_MAX = 100_000  # of a file that is read quickly; 16 commented groups take a quarter of it


def plain_state_dir(file: Path) -> Path | None:
    """As ``config.read_state_dir``; None where that must decide: a file that cannot be read, or is wrong in itself."""
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
        keys = YAML(typ="safe", pure=True).load(data) if len(data) <= FILE_BYTES_MAX else None
    except (OSError, ValueError, YAMLError):
        return None
    if not isinstance(keys, dict):
        return None
    named = keys.get("state_dir", STATE_DIR_USUAL)
    if not isinstance(named, str) or not named.strip() or not named.isprintable() or named.startswith("~"):
        return None
    return file.parent.absolute() / named
