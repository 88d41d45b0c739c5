"""The key ``members`` of a group: what its nodes tell each other beside CARP."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic import BaseModel
from pydantic import ConfigDict
from pydantic import Field

from wsa_proxy.settings import MembersSettings

NODES_MAX = 31
"""Beside this one: no report names more."""
NODE_TEXT = "must be a name of 1 to 63 letters, digits, '.', '_' and '-'"
MEMBERS_KEYS = ("port", "nodes", "allow_ca_mismatch")
MEMBERS_ALLOWED = {
    "members": f"must be keys with values; known are {', '.join(MEMBERS_KEYS)}",
    "nodes": f"must be a list of the names of the group's nodes, {NODES_MAX} at most",
    "allow_ca_mismatch": "must be true or false",
}


def _node(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,63}", value):
        raise ValueError(NODE_TEXT)
    return value


class MembersKeys(BaseModel):
    """Strict, as all keys are."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    port: Annotated[int, Field(ge=1, le=65535)] = 8112
    nodes: Annotated[list[Annotated[str, AfterValidator(_node)]], Field(max_length=NODES_MAX)] = Field(
        default_factory=list
    )
    allow_ca_mismatch: bool = False


def members_settings(keys: MembersKeys) -> MembersSettings:
    """The frozen settings; a name that stands twice counts once."""
    return MembersSettings(keys.port, tuple(dict.fromkeys(keys.nodes)), keys.allow_ca_mismatch)
