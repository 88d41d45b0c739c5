"""The page's server: begins and ends to listen as the settings say, and says so where an operator looks.

That it cannot listen is a trouble that is told and tried again; the node goes on without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from tornado.web import Application

from wsa_proxy.admin.access import Access
from wsa_proxy.admin.door import Door
from wsa_proxy.admin.events import Events
from wsa_proxy.admin.handler import NodeView
from wsa_proxy.admin.handler import NotFound
from wsa_proxy.admin.handler import Site
from wsa_proxy.admin.quiet import quietly
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.route import rules
from wsa_proxy.admin.routes import table
from wsa_proxy.admin.static_files import StaticFile
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import AdminSettings
from wsa_proxy.settings import place_text

logger = logging.getLogger(__name__)

TRY_AGAIN_S = 10.0

type Exposition = Callable[[dict[str, Any]], bytes]


class AdminServer:
    """Of one node. ``routes`` are answered beside its own; ``files`` are the page's."""

    def __init__(
        self,
        settings: AdminSettings | None,
        node: NodeView,
        *,
        files: Mapping[str, StaticFile],
        routes: Collection[Route] = (),
        exposition: Exposition | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self.access = Access(settings or AdminSettings(), clock=clock)
        self._events = Events(node.status, clock=clock)
        self._site = Site(node, self.access, self._events, files, exposition)
        self.routes = table(self._site, routes)
        self._door = Door(self._application())
        self._trouble: str | None = None
        self._opening: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._is_closed = False

    def _application(self) -> Application:
        return Application(
            [*rules(self.routes, self._site)],
            default_handler_class=NotFound,
            default_handler_args={"site": self._site},
            log_function=_log_at_debug,
            routes=self.routes,
        )

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, unless the page is off; when that fails, go on trying."""
        quietly(True)
        async with self._turn:
            await self._open()

    async def change(self, settings: AdminSettings | None) -> None:
        """Other settings: listens elsewhere, or not at all; with another password everybody must log in anew."""
        async with self._turn:
            if self._is_closed:
                return
            before, self._settings = self._settings, settings
            another = settings is not None and self.access.change(settings)
            if _place(before) != _place(settings):
                await self._close()
                await self._open()
            elif another:
                self._announce()

    async def close(self) -> None:
        """For good, with all connections."""
        async with self._turn:
            self._is_closed = True
            await self._close()
        quietly(False)

    async def _open(self) -> None:
        if self._settings is not None and not await self._is_open(self._settings):
            logger.warning("page: cannot listen: %s; it is tried again every %g s", self._trouble, TRY_AGAIN_S)
            self._opening = create_task(self._open_later(self._settings), name="page opening")

    async def _open_later(self, settings: AdminSettings) -> None:
        while True:
            await asyncio.sleep(TRY_AGAIN_S)
            if await self._is_open(settings):
                return

    async def _is_open(self, settings: AdminSettings) -> bool:
        try:
            await self._door.open(settings.host, settings.port)
        except OSError as error:
            self._trouble = f"{_url(settings)}: {error.strerror or error}"
            return False
        self._trouble = None
        self._announce()
        return True

    async def _close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._opening
            self._opening = None
        self._door.close()
        self._events.close()
        await self._door.hang_up()

    def _announce(self) -> None:
        """The token is told here and nowhere else."""
        assert self._settings is not None
        if self.token is None:
            logger.info("page: listening at %s", _url(self._settings))
        else:
            # Without it nobody gets in: a log of warnings alone must have it.
            logger.warning("page: listening at %slogin?token=%s", _url(self._settings), self.token)

    # -- what others ask and tell ------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any] | None:
        """For the status document; None: it is off."""
        return None if self._settings is None else {"url": _url(self._settings), "trouble": self._trouble}

    @property
    def token(self) -> str | None:
        """What lets somebody in; None where there is a password."""
        return self.access.secret.token

    def listening_addresses(self) -> list[tuple[str, int]]:
        """Where it can be reached now."""
        return self._door.addresses()

    @property
    def connections(self) -> int:
        """How many there are."""
        return self._door.connections()

    def state_changed(self) -> None:
        """A transition: the open pages hear of it at once."""
        self._events.state_changed()

    def tell(self, event: dict[str, Any]) -> None:
        """The open pages hear what was added to the history."""
        self._events.tell(event)


def _place(settings: AdminSettings | None) -> tuple[str, int] | None:
    return None if settings is None else (settings.host, settings.port)


def _url(settings: AdminSettings) -> str:
    return f"http://{place_text(settings.host, settings.port)}/"


def _log_at_debug(handler: Any) -> None:
    """No line for each request in mitmproxy's log."""
    request = handler.request
    logger.debug("page: %s %s %s: %d", request.remote_ip, request.method, request.path, handler.get_status())
