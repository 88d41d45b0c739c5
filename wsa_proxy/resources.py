"""Finds the files that are not Python modules of the package: the addon script and the example configurations.

In a checkout they lie beside the package (``addons/``, ``configs/``); a wheel carries them in ``wsa_proxy/_data/``.
"""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def find(relative: str) -> Path:
    """Return the existing file, such as ``find("addons/carp_failover.py")``.

    Raises FileNotFoundError that names both places when it is in neither.
    """
    # The checkout first: in an editable install a left-over _data of an earlier build must not win.
    places = (PACKAGE.parent / relative, PACKAGE / "_data" / relative)
    for place in places:
        if place.is_file():
            return place
    raise FileNotFoundError(f"{relative} is neither at {places[0]} nor at {places[1]}: the installation is incomplete")
