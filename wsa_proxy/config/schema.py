"""The configuration keys: which there are, what each may hold, and the words for what is wrong.

pydantic finds all errors at once; here they get the file's words. A value that is wrong is taken out, so that the
checks that come after can still judge the rest of the file: afterwards None means missing or wrong, and told.
"""

from __future__ import annotations

import difflib
import re
from ipaddress import IPv4Address
from ipaddress import IPv4Interface
from ipaddress import IPv6Address
from ipaddress import IPv6Interface
from typing import Annotated
from typing import Any
from typing import Literal

from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic import PlainValidator
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wsa_proxy.config.admin import ADMIN_ALLOWED
from wsa_proxy.config.admin import ADMIN_KEYS
from wsa_proxy.config.admin import AdminKeys
from wsa_proxy.config.health import HEALTH_ALLOWED
from wsa_proxy.config.health import LIMIT_KEYS
from wsa_proxy.config.health import HealthKeys
from wsa_proxy.config.health import known_keys
from wsa_proxy.config.members import MEMBERS_ALLOWED
from wsa_proxy.config.members import MEMBERS_KEYS
from wsa_proxy.config.members import MembersKeys
from wsa_proxy.config.notify import NOTIFY_TEXT
from wsa_proxy.config.notify import read_notify
from wsa_proxy.config.pac import PAC_ALLOWED
from wsa_proxy.config.pac import PAC_KEYS
from wsa_proxy.config.pac import PacKeys
from wsa_proxy.config.peer import PEERS_MAX
from wsa_proxy.config.peer import PEERS_TEXT
from wsa_proxy.config.peer import read_peer
from wsa_proxy.config.source import HIDDEN_KEYS
from wsa_proxy.config.source import Document
from wsa_proxy.config.source import KeyPath
from wsa_proxy.config.source import Place
from wsa_proxy.config.source import Plain
from wsa_proxy.config.source import key_text
from wsa_proxy.config.timers import INTERVAL_TEXT
from wsa_proxy.config.timers import is_interval
from wsa_proxy.config.virtual_ip import VIRTUAL_IP_TEXT
from wsa_proxy.config.virtual_ip import MissingPrefix
from wsa_proxy.config.virtual_ip import read_virtual_ip
from wsa_proxy.settings import STATE_DIR_USUAL

VIRTUAL_IPS_MAX = 255  # they all go into each advertisement's signature
SECRETS_MAX = 8  # each is tried on a packet that none has signed
VALIDATIONS_MAX = 4  # the first finds all errors, the second none; more would be a mistake in _take_out
SECRET_BYTES_MAX = 19  # CARP_KEY_LEN is 20; ifconfig on the BSDs keeps 19 and a zero
DESCRIPTION_CHARACTERS_MAX = 200
STALL_LIMIT_S_MAX = 1.5  # half of the master-down interval of an advertisement a second
CLOCK_TOLERANCE_S_MAX = 604_800
WAIT_S_MAX = 3600  # of the keys that let somebody wait
SECURITY = ("sealed", "carp")
INTERFACE_CHARACTERS_MAX = 15  # IFNAMSIZ is 16, with a zero

ALLOWED = {
    "node": "must be a name of 1 to 63 letters, digits, '.', '_' and '-'",
    "failover_handling": "must be preemptive or non-preemptive",
    "state_dir": "must be the path of a folder",
    "groups": "must be a list of failover groups, each starting with '- id: ...'",
    "id": "must be a whole number from 1 to 255",
    "description": f"must be text on one line, {DESCRIPTION_CHARACTERS_MAX} characters at most",
    "hostname": "must be a host name such as proxy.example.com",
    "virtual_ip": VIRTUAL_IP_TEXT,
    "interface": "must be the name of an interface, or auto",
    "priority": "must be a whole number from 1 to 255",
    "shared_secret": f"must be text of 1 to {SECRET_BYTES_MAX} bytes, or a list of 1 to {SECRETS_MAX} of them",
    "shared_secret_file": "must be the path of a file",
    "advertisement_interval": f"must be {INTERVAL_TEXT}",
    "port": "must be a whole number from 1 to 65535",
    "mac": "must be virtual (00:00:5e:00:01:ID) or interface (the network card's own)",
    "security": "must be sealed, carp, or a list of both: the first signs, all are accepted",
    "peers": PEERS_TEXT,
    "stall_limit": "must be a number of seconds from 0.02 to 1.5",
    "clock_tolerance": "must be a number of seconds from 1 to 604800 (a week)",
    "drain_timeout": f"must be a number of seconds from 0 to {WAIT_S_MAX}",
    "preempt_delay": f"must be a number of seconds from 0 to {WAIT_S_MAX}",
    "preempt_delay_max": f"must be a number of seconds from 0 to {WAIT_S_MAX}",
    **ADMIN_ALLOWED,
    "notify": NOTIFY_TEXT,
    **MEMBERS_ALLOWED,
    **HEALTH_ALLOWED,
    **PAC_ALLOWED,
}
TOP_KEYS = (
    "node", "failover_handling", "state_dir", "stall_limit", "clock_tolerance", "drain_timeout", "health", "pac",
    "admin", "notify", "groups",
)  # fmt: skip
_NESTED = {*HEALTH_ALLOWED, *MEMBERS_KEYS, *PAC_KEYS, *ADMIN_KEYS} - {"port"}
GROUP_KEYS = tuple(key for key in ALLOWED if key not in (*TOP_KEYS, *_NESTED))
REQUIRED = ("id", "hostname", "virtual_ip", "priority")
SECONDS_KEYS = ("stall_limit", "clock_tolerance", "drain_timeout", "preempt_delay", "preempt_delay_max")
NUMBER_KEYS = ("id", "priority", "port", "advertisement_interval", *SECONDS_KEYS, *LIMIT_KEYS)
OTHER_WORDS = {
    "vhid": "id", "virtual_router_id": "id", "group_id": "id", "vip": "virtual_ip", "address": "virtual_ip",
    "virtual_ipaddress": "virtual_ip", "virtual_ip_address": "virtual_ip", "failover_group_id": "id",
    "virtual_ip_address_and_netmask": "virtual_ip",
    "advbase": "advertisement_interval", "advert_int": "advertisement_interval",
    "interval": "advertisement_interval", "advskew": "priority", "secret": "shared_secret", "pass": "shared_secret",
    "password": "shared_secret", "auth_pass": "shared_secret", "passphrase": "shared_secret", "name": "hostname",
    "preempt": "failover_handling", "dev": "interface", "listen_port": "port",
    "peer": "peers", "peer6": "peers", "carppeer": "peers", "unicast_peer": "peers",
}  # fmt: skip
"""What other products call a key (carp(4), keepalived, ucarp)."""


def _as_list(value: Plain) -> Plain:
    return value if isinstance(value, list) else [value]


def _name_of_node(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,63}", value):
        raise ValueError(ALLOWED["node"])
    return value


def _hostname(value: str) -> str:
    if not re.fullmatch(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", value):
        raise ValueError(ALLOWED["hostname"])
    return value


def _one_line(value: str) -> str:
    if not value.isprintable() or len(value) > DESCRIPTION_CHARACTERS_MAX:
        raise ValueError(ALLOWED["description"])
    return value


def _path(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("must be a path that is not empty and has no control characters")
    if value.startswith("~"):
        raise ValueError("'~' is not replaced here; write the path out")
    return value


def _interval(value: Plain) -> float:
    if not is_interval(value):
        raise ValueError(f"must be {INTERVAL_TEXT}")
    assert isinstance(value, int | float)
    return value


def secret_problem(secret: bytes) -> str | None:
    """Why these bytes cannot sign, without showing them; None when they can."""
    if not secret:
        return "is empty; write one of 12 to 19 bytes"
    if len(secret) > SECRET_BYTES_MAX:
        return (
            f"has {len(secret)} bytes; CARP uses {SECRET_BYTES_MAX}, and peers cut the rest silently;"
            f" shorten it to {SECRET_BYTES_MAX} bytes on all nodes"
        )
    if any(byte < 0x20 or byte == 0x7F for byte in secret):
        return "holds a control character (a Windows line end?); remove it"
    return None


def _secret(value: Plain) -> bytes:
    if not isinstance(value, str):
        hint = "; put it in quotes" if isinstance(value, int | float) else ""
        raise ValueError(f"{ALLOWED['shared_secret']}{hint}")
    try:
        secret = value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (\\ud800 to \\udfff); write the whole one") from None
    wrong = secret_problem(secret)
    if wrong:
        raise ValueError(wrong)
    return secret


def _security(value: Plain) -> tuple[str, ...]:
    ways = tuple(value) if isinstance(value, list) else (value,)
    if not ways or not all(way in SECURITY for way in ways) or len(set(ways)) < len(ways):
        raise ValueError(ALLOWED["security"])
    return tuple(map(str, ways))


def _seconds(key: str, least: float, most: float) -> PlainValidator:
    """A number of seconds; a truth value is none."""

    def read(value: Plain) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(ALLOWED[key])
        return value

    return PlainValidator(read)


class Keys(BaseModel):
    """Strict: no text becomes a number, no number a truth value. Unknown keys are errors."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class GroupKeys(Keys):
    """One failover group as the operator wrote it."""

    id: Annotated[int, Field(ge=1, le=255)] | None = None
    description: Annotated[str, AfterValidator(_one_line)] = ""
    hostname: Annotated[str, AfterValidator(_hostname)] | None = None
    virtual_ip: Annotated[
        list[Annotated[IPv4Interface | IPv6Interface | None, PlainValidator(read_virtual_ip)]],
        BeforeValidator(_as_list),
        Field(min_length=1, max_length=VIRTUAL_IPS_MAX),
    ] = Field(default_factory=list)
    interface: Annotated[str, Field(min_length=1, max_length=INTERFACE_CHARACTERS_MAX)] = "auto"
    priority: Annotated[int, Field(ge=1, le=255)] | None = None
    shared_secret: Annotated[
        list[Annotated[bytes | None, PlainValidator(lambda value: None if value is None else _secret(value))]],
        BeforeValidator(_as_list),
        Field(min_length=1, max_length=SECRETS_MAX),
    ] = Field(default_factory=list)
    shared_secret_file: Annotated[str, AfterValidator(_path)] | None = None
    advertisement_interval: Annotated[float, PlainValidator(_interval)] = 1
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    mac: Literal["virtual", "interface"] = "virtual"
    security: Annotated[tuple[str, ...] | None, PlainValidator(_security)] = None
    preempt_delay: Annotated[float, _seconds("preempt_delay", 0, WAIT_S_MAX)] = 0
    preempt_delay_max: Annotated[float, _seconds("preempt_delay_max", 0, WAIT_S_MAX)] = 60
    peers: Annotated[
        list[Annotated[IPv4Address | IPv6Address | None, PlainValidator(read_peer)]],
        BeforeValidator(_as_list),
        Field(min_length=1, max_length=PEERS_MAX),
    ] = Field(default_factory=list)
    members: MembersKeys = MembersKeys()


class TopKeys(Keys):
    """A whole file as the operator wrote it."""

    node: Annotated[str, AfterValidator(_name_of_node)] | None = None
    failover_handling: Literal["preemptive", "non-preemptive"] = "preemptive"
    state_dir: Annotated[str, AfterValidator(_path)] = STATE_DIR_USUAL
    stall_limit: Annotated[float | None, _seconds("stall_limit", 0.02, STALL_LIMIT_S_MAX)] = None
    clock_tolerance: Annotated[float, _seconds("clock_tolerance", 1, CLOCK_TOLERANCE_S_MAX)] = 3600
    drain_timeout: Annotated[float, _seconds("drain_timeout", 0, WAIT_S_MAX)] = 60
    health: HealthKeys = HealthKeys()
    pac: PacKeys | None = None
    admin: AdminKeys = AdminKeys()
    notify: Annotated[tuple[str, ...], PlainValidator(read_notify)] = ()
    groups: Annotated[list[GroupKeys], Field(min_length=1, max_length=255)] | None = None


def read_keys(document: Document) -> tuple[TopKeys, dict[KeyPath, str]]:
    """The keys of a document. Wrong ones are told in its errors and are None or their default here.

    The second value is the virtual IPs that lack a prefix, by path, each with a usual one: the error that is left to
    be told by who knows the host's prefixes.
    """
    reader = _KeyReader(document)
    return reader.read(), reader.without_prefix


class _KeyReader:
    """Finds what is wrong with the keys of one document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.without_prefix: dict[KeyPath, str] = {}
        self.meant: set[KeyPath] = set()
        """Keys that are there under a mistyped name, hence not missing."""

    def read(self) -> TopKeys:
        document = self.document
        self._drop_empty(document.data, ())
        keys = self._valid_keys()
        self._tell_missing(("groups",))
        for n, _group in enumerate(keys.groups or ()):
            if not self._told(("groups", n)):
                for key in REQUIRED:
                    self._tell_missing(("groups", n, key))
        return keys

    def _valid_keys(self) -> TopKeys:
        """What is left when the wrong values are told and taken out."""
        for _turn in range(VALIDATIONS_MAX):
            try:
                return TopKeys.model_validate(self.document.data)
            except ValidationError as error:
                for details in error.errors(include_url=False, include_input=False):
                    self._tell(details)
                    self._take_out(details["loc"])
        raise self.document.refuse()  # never seen: the second turn finds nothing; but no file may keep us here for ever

    def _told(self, path: KeyPath) -> bool:
        return any(problem.key == key_text(path) for problem in self.document.errors)

    def _tell_missing(self, path: KeyPath) -> None:
        if path not in self.document.places and path not in self.meant:
            self.document.error(path, f"missing; it {ALLOWED[str(path[-1])]}")

    def _drop_empty(self, value: Plain, path: KeyPath) -> None:
        """Take out the known keys without a value, each with its problem."""
        entries: list[tuple[str | int, Plain]] = []
        if isinstance(value, dict):
            entries.extend((key, item) for key, item in value.items() if key in ALLOWED)
        elif isinstance(value, list):
            entries.extend(enumerate(value))
        for key, item in entries:
            at = (*path, key)
            if item is not None:
                self._drop_empty(item, at)
                continue
            if not self._told(at):
                quotes = "; one that starts with # & ! or * needs quotes" if HIDDEN_KEYS.intersection(at) else ""
                needed = key in REQUIRED or at == ("groups",)
                fix = f"it {ALLOWED[str(key)]}" if needed else f"write one or remove the line{quotes}"
                self.document.error(at, f"has no value; {fix}", value="")
            self._take_out(at)

    def _take_out(self, path: KeyPath) -> None:
        """Remove a value; from a list leave a hole, so that the paths of the others stay right."""
        holder: Any = self.document.data
        for depth, part in enumerate(path, start=1):
            item = holder.get(part) if isinstance(holder, dict) else holder[part]
            # A single value counts as item 0 of a list; when it is a mapping, the path ends at the mapping itself.
            if depth < len(path) and isinstance(item, list if isinstance(path[depth], int) else dict):
                holder = item
            elif isinstance(holder, dict):
                holder.pop(part, None)
                return
            else:
                holder[part] = {} if path[:depth] == ("groups", part) else None
                return

    def _tell(self, details: ErrorDetails) -> None:
        path: KeyPath = details["loc"]
        key = next(part for part in reversed(path) if isinstance(part, str))
        kind = details["type"]
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, MissingPrefix):
            self.without_prefix[path] = str(cause)
        elif kind == "extra_forbidden":
            self.document.error(path, self._unknown_text(path), value="")
        elif kind == "value_error":
            self.document.error(path, f"{cause}{self._hint(path, key)}")
        elif key == "groups" and len(path) == 2:
            self.document.error(path, "must be keys with values, starting with '- id: ...'", value="")
        elif key == "groups":
            self.document.error(path, ALLOWED[key], value="")
        else:
            self.document.error(path, f"{ALLOWED[key]}{self._hint(path, key)}")

    def _hint(self, path: KeyPath, key: str) -> str:
        shown = self.document.places.get(path, Place(0, None)).shown or ""
        if key in NUMBER_KEYS and re.fullmatch(r"(['\"])[\d.]+\1", shown):
            return "; write it without quotes"
        if key in NUMBER_KEYS and re.fullmatch(r"[1-9]\d*\.0*", shown):
            return f"; write {shown.split('.')[0]}"
        if key == "interface" and len(shown) > INTERFACE_CHARACTERS_MAX:
            return f"; a name has {INTERFACE_CHARACTERS_MAX} characters at most"
        if key == "failover_handling":
            near = difflib.get_close_matches(shown.strip("'\"").lower(), ("preemptive", "non-preemptive"), 1, 0.5)
            return f"; did you mean {near[0]}?" if near else ""
        if key in ("node", "description", "interface") and re.fullmatch(r"[-+\d._]+|true|false", shown, re.IGNORECASE):
            return "; put it in quotes"
        return ""

    def _unknown_text(self, path: KeyPath) -> str:
        """For a key that no place of the file, or not this one, or not this version knows."""
        key = str(path[-1])
        in_group = len(path) > 1
        known, elsewhere = (GROUP_KEYS, TOP_KEYS) if in_group else (TOP_KEYS, GROUP_KEYS)
        if path[0] in ("health", "pac", "admin") or "members" in path[:-1]:
            nested = {"health": known_keys(path), "pac": PAC_KEYS, "admin": ADMIN_KEYS}
            here = nested.get(str(path[0]), MEMBERS_KEYS)
            near = next(iter(difflib.get_close_matches(key.lower(), here, 1)), "")
            return f"unknown key; did you mean {near}?" if near else f"unknown key; known here are {', '.join(here)}"
        if key in elsewhere:
            there = "the whole file; move it out of the group" if in_group else "a group; move it into one"
            return f"is a key of {there}"
        if key == "<<":
            return "merging (<<) is not supported; write the keys out"
        word = key.lower().replace("-", "_").replace(" ", "_")
        near = OTHER_WORDS.get(word) or next(iter(difflib.get_close_matches(word, known + elsewhere, 1)), "")
        if not near:
            return f"unknown key; known here are {', '.join(known)}"
        self.meant.add((*path[:-1], near))
        where = "" if near not in elsewhere else " of the whole file" if in_group else " of a group"
        return f"unknown key; did you mean {near}{where}?"
