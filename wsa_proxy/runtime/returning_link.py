"""What a node does when a cable is back, before it takes part again."""

from __future__ import annotations

import logging

from wsa_proxy.net.ports import LinkChanged
from wsa_proxy.runtime.ports import Kernel

logger = logging.getLogger(__name__)


def ask_neighbours_again(kernel: Kernel, link: LinkChanged) -> None:
    """While the cable was out, the kernel asked in vain for those that the proxy needs."""
    try:
        asked = kernel.ask_neighbours_again(link.index)
    except OSError as error:
        # Requests may fail until the kernel asks by itself, within a second: no reason to stay out of the group.
        logger.warning("carp %s is up, but neighbours could not be asked for again: %s", link.name, error)
    else:
        logger.debug("carp %s is up, asked again for: %s", link.name, ", ".join(map(str, asked)) or "nobody")
