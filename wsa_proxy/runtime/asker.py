"""Who has ordered what is being done: set where an order comes in, read where it is written down."""

from __future__ import annotations

from contextvars import ContextVar

asker: ContextVar[str] = ContextVar("asker", default="")
"""``uid 0`` at the control socket, ``page from 127.0.0.1``; empty: nobody, the node decides by itself. A task that an
order begins has it as well, since it begins with a copy of the context."""
