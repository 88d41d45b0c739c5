"""The key ``pac``: the PAC file that the proxy answers with. What it may hold, and the words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network
from ipaddress import IPv6Network
from ipaddress import ip_interface
from ipaddress import ip_network
from typing import Annotated
from typing import Literal

from pydantic import BaseModel
from pydantic import BeforeValidator
from pydantic import ConfigDict
from pydantic import Field
from pydantic import PlainValidator

from wsa_proxy.config.source import Document
from wsa_proxy.config.source import Plain
from wsa_proxy.settings import PacSettings

type Network = IPv4Network | IPv6Network

BYPASS_MAX = 1000  # a browser compares each with each host it asks for; Chromium takes a file of 1 MB
LOCAL = "<local>"
NAME = re.compile(r"(?=.{1,254}$)(\*?\.)?[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
PAC_KEYS = ("groups", "share", "direct", "bypass")
GROUPS_TEXT = "must be a list of Failover Group IDs of this file, such as [1, 2]"
PAC_ALLOWED = {
    "pac": f"must be keys with values, or {{}} for the usual; known are {', '.join(PAC_KEYS)}",
    "share": "must be none (the group that was asked first), client or host",
    "direct": "must be true or false",
    "bypass": (
        f"must be a list of names, domains (.example.com) and networks (10.0.0.0/8), {BYPASS_MAX} at most: what"
        " browsers ask for without the proxy"
    ),
}


def _as_list(value: Plain) -> Plain:
    return value if isinstance(value, list) else [value]


def _groups(value: Plain) -> tuple[int | None, ...]:
    """All of it at once: ``groups`` has other words where it stands alone."""
    if not isinstance(value, list) or not value:
        raise ValueError(GROUPS_TEXT)
    ids: list[int | None] = []
    for item in value:
        # None: a hole that is told already.
        if isinstance(item, bool) or not isinstance(item, int | None):
            raise ValueError(GROUPS_TEXT)
        if item is not None and item in ids:
            raise ValueError(f"names group {item} twice")
        ids.append(item)
    return tuple(ids)


def _bypass(value: Plain) -> str | Network | None:
    """Text to a name in lower case or a network. Raises ValueError with what was probably meant."""
    if value is None:
        return None  # a wrong one, taken out
    if not isinstance(value, str):
        raise ValueError(_no_bypass(""))
    text = value.lower()
    if text == LOCAL:
        return text
    try:
        return ip_network(text.strip("[]"))
    except ValueError:
        pass
    # A name whose last part is a number is an address to every browser.
    if not NAME.fullmatch(text) or text.rpartition(".")[2].isdigit():
        raise ValueError(_no_bypass(text))
    return text


def _no_bypass(text: str) -> str:
    hint = ""
    try:
        hint = f"; the network is {ip_interface(text).network}"
    except ValueError:
        if "://" in text:
            hint = "; write the host alone, without http://"
        elif re.fullmatch(r"[^:/]+:\d+", text):
            hint = "; a port cannot be told here: write the host alone"
        elif re.fullmatch(r"\d[\d.]*\*", text):
            hint = "; write a network with its prefix"
        elif "," in text or ";" in text or " " in text:
            hint = "; write several as a list: [.example.com, 10.0.0.0/8]"
        elif not text.isascii():
            hint = "; write it as browsers do, with xn--"
    return (
        f"is not a name (intranet), a domain (.example.com, *.example.com), a network (10.0.0.0/8) or {LOCAL}, which is"
        f" every name without a dot{hint}"
    )


class PacKeys(BaseModel):
    """Strict, as all keys are."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)

    groups: Annotated[tuple[int | None, ...], PlainValidator(_groups)] = ()
    share: Literal["none", "client", "host"] = "none"
    direct: bool = False
    bypass: Annotated[
        list[Annotated[str | IPv4Network | IPv6Network | None, PlainValidator(_bypass)]],
        BeforeValidator(_as_list),
        Field(max_length=BYPASS_MAX),
    ] = Field(default_factory=list)


def check_pac(document: Document, keys: PacKeys | None, ids: Collection[int | None]) -> None:
    """``ids``: of all groups of the file."""
    if keys is None:
        return
    for n, vhid in enumerate(keys.groups):
        if vhid is not None and vhid not in ids:
            known = ", ".join(str(each) for each in ids if each is not None)
            document.error(("pac", "groups", n), f"no group of this file has this id; there are {known}")
    if keys.share != "none" and len(keys.groups or ids) == 1:
        document.warning(("pac", "share"), "has no effect: only one group is named in the PAC file")


def pac_settings(keys: PacKeys | None) -> PacSettings | None:
    """The frozen settings; what stands twice in ``bypass`` counts once."""
    if keys is None:
        return None
    bypass = tuple(dict.fromkeys(keys.bypass))
    return PacSettings(
        groups=tuple(vhid for vhid in keys.groups if vhid is not None),
        share=keys.share,
        direct=keys.direct,
        bypass_names=tuple(each for each in bypass if isinstance(each, str)),
        bypass_networks=tuple(each for each in bypass if isinstance(each, IPv4Network | IPv6Network)),
    )
