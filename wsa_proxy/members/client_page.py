"""One page of the list of a node's clients, and the bytes that it becomes.

A list is a row of changes with growing *positions*: 1, 2, 3, ... Of each client only the last change is kept. A page
says all that is left of the positions above ``after`` and up to ``last``: who is listed, and whose connection has
ended. How a list is told, and taken over, is in ``client_list.py``.

A page is no report and cannot be taken for one: it begins with a byte that msgpack never uses, and names no node. A
version that knows no pages counts it as malformed.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from typing import Any

import msgpack

from wsa_proxy.members import values
from wsa_proxy.members.report import CHALLENGE_BYTES
from wsa_proxy.members.report import LIFE_BYTES
from wsa_proxy.members.report import MEMBERS_MAX
from wsa_proxy.members.report import NUMBER_MAX
from wsa_proxy.members.report import REPORT_BYTES_MAX

type Client = bytes
"""One TCP connection: virtual IP, its port (2 bytes), the client's address, its port; 12 bytes (IPv4) or 36 (IPv6)."""

CLIENT_BYTES = (12, 36)
PORT_BYTES = 2
CLIENTS_MAX = 65_536
"""Of one node and group; what is more is counted and not told."""
MARK = b"\xc1"
"""Never used by msgpack, says its specification: no report begins with it."""
ECHO_BYTES = (2 + LIFE_BYTES) + (2 + CHALLENGE_BYTES)
"""Of one entry of ``echoes``, as msgpack writes it."""


class BadPage(ValueError):
    """Authentic bytes that are no page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one says. Clients are kept as they came, one after the other: a page that is old is not taken apart."""

    life: bytes
    """Whose list it is."""
    number: int
    """Grows with each page of a life; of its own count, not the reports'."""
    after: int
    last: int
    top: int
    """The newest position when this was said."""
    floor: int
    """Of what has ended up to here nothing is known any more: who has begun before, and is not so far, begins anew."""
    echoes: Mapping[bytes, bytes] = field(default_factory=dict)
    """By life: the newest challenge of everybody who is to believe this."""
    listed_4: bytes = b""
    listed_6: bytes = b""
    ended_4: bytes = b""
    ended_6: bytes = b""

    @property
    def listed(self) -> list[Client]:
        """Who has a connection."""
        return _clients(self.listed_4, self.listed_6)

    @property
    def ended(self) -> list[Client]:
        """Who has none any more."""
        return _clients(self.ended_4, self.ended_6)


def virtual_ip(client: Client) -> bytes:
    """The address of this node's end, packed."""
    return client[: len(client) // 2 - PORT_BYTES]


def address(client: Client) -> bytes:
    """That of the client's end, packed."""
    return client[len(client) // 2 : -PORT_BYTES]


def joined(clients: Iterable[Client]) -> tuple[bytes, bytes]:
    """As the fields of a page have them: IPv4, IPv6."""
    given = list(clients)
    four, six = ([each for each in given if len(each) == length] for length in CLIENT_BYTES)
    return b"".join(four), b"".join(six)


def room(echoes: int) -> int:
    """So many bytes of clients fit into a page with so many echoes."""
    return REPORT_BYTES_MAX - HEAD_BYTES_MAX - echoes * ECHO_BYTES


def pack(page: Page) -> bytes:
    """At most REPORT_BYTES_MAX bytes, if it has no more clients than there is ``room`` for."""
    data = {name: getattr(page, name) for name in _FIELDS}
    packed: bytes = msgpack.packb(data | {"echoes": dict(page.echoes)})
    return MARK + packed


def is_page(packed: bytes) -> bool:
    """Whether it would be one, if it is anything."""
    return packed.startswith(MARK)


def unpack(packed: bytes) -> Page:
    """The page. Raises BadPage, if a single value is not what it should be: half of a page is worth nothing."""
    try:
        data = msgpack.unpackb(packed[len(MARK) :], strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise BadPage(f"not msgpack: {error}") from error
    if not is_page(packed) or not isinstance(data, dict):
        raise BadPage("no page")
    known: dict[str, Any] = {name: _READERS[name](data.get(name)) for name in _FIELDS}
    if missing := [name for name, value in known.items() if value is None]:
        raise BadPage(f"without a usable {', '.join(missing)}")
    page = Page(**known)
    if not page.after < page.last <= page.top or page.floor > page.top:
        raise BadPage("positions in a wrong order")
    return page


def _clients(four: bytes, six: bytes) -> list[Client]:
    return [
        joined_up[at : at + length]
        for joined_up, length in zip((four, six), CLIENT_BYTES, strict=True)
        for at in range(0, len(joined_up), length)
    ]


def _whole(length: int) -> values.Reader[bytes]:
    """So many bytes for each client."""
    return lambda value: value if isinstance(value, bytes) and not len(value) % length else None


_number = values.below(NUMBER_MAX)
_READERS: dict[str, values.Reader[object]] = {
    "life": values.bytes_of(LIFE_BYTES),
    "number": _number,
    "after": _number,
    "last": _number,
    "top": _number,
    "floor": _number,
    "echoes": values.map_of(values.bytes_of(LIFE_BYTES), values.bytes_of(CHALLENGE_BYTES), MEMBERS_MAX),
    "listed_4": _whole(CLIENT_BYTES[0]),
    "listed_6": _whole(CLIENT_BYTES[1]),
    "ended_4": _whole(CLIENT_BYTES[0]),
    "ended_6": _whole(CLIENT_BYTES[1]),
}
_FIELDS = tuple(each.name for each in fields(Page))
assert tuple(_READERS) == _FIELDS
_LARGEST = NUMBER_MAX - 1
_bare = Page(
    life=bytes(LIFE_BYTES), number=_LARGEST, after=_LARGEST, last=_LARGEST, top=_LARGEST, floor=_LARGEST
)  # fmt: skip
HEAD_BYTES_MAX = len(pack(_bare)) + 4 + 2
"""Of a page without clients and echoes; those of 256 bytes or more, and more than 15 echoes, say so in a byte or two
more."""
