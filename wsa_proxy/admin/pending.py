"""Changes that were submitted and not yet committed: what they make of the file's text, and what is said of them.

Pure: text in, text out. A change is made at its place in the text (``yaml_patch.py``), and then the text is read again:
what it says must be what was meant, and nothing else may say something else. Groups are known by their ids, so the
changes can be made once more on a text that somebody else has changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any

from wsa_proxy.admin import form
from wsa_proxy.admin import yaml_patch
from wsa_proxy.admin.yaml_places import NoPlace
from wsa_proxy.admin.yaml_spelling import Value
from wsa_proxy.config.schema import GROUP_KEYS
from wsa_proxy.config.schema import TOP_KEYS
from wsa_proxy.config.schema import TopKeys
from wsa_proxy.config.source import ConfigError
from wsa_proxy.config.source import read_document

LABELS = {
    "description": "Description",
    "hostname": "Hostname",
    "virtual_ip": "Virtual IP Address and Netmask",
    "interface": "Interface",
    "priority": "Priority",
    "advertisement_interval": "Advertisement Interval",
}
"""The WSA's names of the keys whose values may be told."""
DEFAULTS = {**form.DEFAULTS, "failover_handling": TopKeys.model_fields["failover_handling"].default}
LISTS = ("virtual_ip", "shared_secret")
"""Keys in which one value is as good as a list of it."""
BY_HAND = "is written there in a way that cannot be changed here alone; change the file by hand, then: wsa-proxy reload"

type Document = Mapping[str, Any]
"""The plain values of a configuration, as ``config.source`` reads them."""


class CannotApply(Exception):
    """A change that this text does not take; the text says why."""


@dataclass(frozen=True, slots=True)
class AddGroup:
    """A failover group behind the others."""

    values: Mapping[str, Value] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EditGroup:
    """Other values of the group with this id; another id among them is another group to the LAN."""

    vhid: int
    values: Mapping[str, Value] = field(repr=False)
    secret_off: bool = False
    """Without a Shared Secret from now on."""


@dataclass(frozen=True, slots=True)
class DeleteGroup:
    vhid: int


@dataclass(frozen=True, slots=True)
class EditGlobal:
    """Other values of the whole file's keys."""

    values: Mapping[str, Value]


type Operation = AddGroup | EditGroup | DeleteGroup | EditGlobal


def groups_of(document: Document) -> list[dict[str, Any]]:
    """Those of a file that have keys, in its order; a file that is wrong may have others."""
    return [group for group in _items(document) if isinstance(group, dict)]


def _items(document: Document) -> list[Any]:
    groups = document.get("groups")
    return list(groups) if isinstance(groups, list) else []


def apply(text: str, operation: Operation, file: Path) -> str:
    """The text with this change. Raises CannotApply, or ConfigError when the text is none to begin with.

    ``file`` is named in errors and not read.
    """
    before = read_document(file, text).data
    try:
        changed = _patched(text, before, operation)
        said = read_document(file, changed).data
    except (NoPlace, ConfigError):
        raise CannotApply(BY_HAND) from None
    if _normal(said) != _normal(_meant(before, operation)):
        raise CannotApply(BY_HAND)
    return changed


def value_of(group: Document, key: str) -> Any:
    """Of a key of a group, or of the file, also where it is left out."""
    value = group.get(key, DEFAULTS.get(key))
    return value if key not in LISTS or value is None or isinstance(value, list) else [value]


def _patched(text: str, before: Document, operation: Operation) -> str:
    match operation:
        case AddGroup(values):
            return yaml_patch.append_item(text, ("groups",), {key: _single(value) for key, value in values.items()})
        case DeleteGroup(vhid):
            n = _index(before, vhid)
            if len(groups_of(before)) < 2:
                raise CannotApply(f"group {vhid} is the only one, and a node needs one; change it, or stop the node")
            return yaml_patch.remove_item(text, ("groups", n))
        case EditGlobal(values):
            for key, value in values.items():
                if value_of(before, key) != value:
                    text = yaml_patch.set_value(text, (key,), value, TOP_KEYS)
            return text
        case EditGroup(vhid, values):
            n = _index(before, vhid)
            group = before["groups"][n]
            for key, value in values.items():
                if value_of(group, key) != ([value] if key in LISTS and not isinstance(value, list) else value):
                    text = yaml_patch.set_value(text, ("groups", n, key), _single(value), GROUP_KEYS)
            for key in _secret_keys(group) if operation.secret_off else ():
                text = yaml_patch.remove_key(text, ("groups", n, key))
            return text


def _meant(before: Document, operation: Operation) -> dict[str, Any]:
    groups = _items(before)
    match operation:
        case AddGroup(values):
            groups.append(dict(values))
        case DeleteGroup(vhid):
            del groups[_index(before, vhid)]
        case EditGlobal(values):
            return {**before, **{key: value for key, value in values.items() if value_of(before, key) != value}}
        case EditGroup(vhid, values):
            n = _index(before, vhid)
            gone = _secret_keys(groups[n]) if operation.secret_off else ()
            groups[n] = {key: value for key, value in (groups[n] | dict(values)).items() if key not in gone}
    return {**before, "groups": groups}


def _secret_keys(group: Document) -> list[str]:
    """What goes with the secret: ``security: sealed`` needs one, and without that key a group without one is plain."""
    security = group.get("security", ())
    sealed = "sealed" in (security if isinstance(security, list) else [security])
    return [key for key in ("shared_secret", *(["security"] if sealed else [])) if key in group]


def _index(document: Document, vhid: int) -> int:
    for n, group in enumerate(_items(document)):
        if isinstance(group, dict) and group.get("id") == vhid:
            return n
    raise CannotApply(f"the file has no group {vhid}")


def _single(value: Value) -> Value:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _normal(document: Document) -> dict[str, Any]:
    """Equal for two documents that say the same in the keys that a form has."""
    said = [
        {**group, **{key: value_of(group, key) for key in (*LABELS, *LISTS)}} if isinstance(group, dict) else group
        for group in _items(document)
    ]
    return {**document, "groups": said or document.get("groups")}


def sentences(before: Document, after: Document, operations: Sequence[Operation]) -> list[str]:
    """What the operations come to, for people: one sentence for each change that is left of them in the end."""
    told = []
    handling = [value_of(document, "failover_handling") for document in (before, after)]
    if handling[0] != handling[1]:
        told.append(f"Failover Handling: {handling[0]} -> {handling[1]}")
    origins = _origins(before, operations)
    old = {group.get("id"): group for group in groups_of(before)}
    told += [f"Group {vhid} is deleted: it ends on this node" for vhid in old if vhid not in origins.values()]
    for group in groups_of(after):
        vhid = group.get("id")
        origin = origins.get(vhid)
        if origin is None:
            told.append(f"Group {vhid} is added: {_shown(group, 'virtual_ip')}, Priority {group.get('priority')}")
        else:
            told += _group_sentences(old[origin], group)
    return told


def _origins(before: Document, operations: Sequence[Operation]) -> dict[Any, Any]:
    """The id that each group had before; a group that was added is not among them."""
    origins = {group.get("id"): group.get("id") for group in groups_of(before)}
    for operation in operations:
        if isinstance(operation, DeleteGroup):
            origins.pop(operation.vhid, None)
        elif isinstance(operation, EditGroup) and operation.vhid in origins:
            origins[operation.values.get("id", operation.vhid)] = origins.pop(operation.vhid)
    return origins


def _group_sentences(before: Document, after: Document) -> Iterator[str]:
    vhid = before.get("id")
    if after.get("id") != vhid:
        yield (
            f"Group {vhid} becomes group {after.get('id')}: on this node group {vhid} ends and group {after.get('id')}"
            " begins; change the other nodes as well"
        )
    for key, label in LABELS.items():
        if value_of(before, key) != value_of(after, key):
            yield f"Group {vhid}: {label} {_shown(before, key)} -> {_shown(after, key)}"
    secrets = [value_of(group, "shared_secret") for group in (before, after)]
    if secrets[0] != secrets[1]:
        how = "is changed" if all(secrets) else "is set" if secrets[1] else "is removed"
        fewer = f"; one instead of {len(secrets[0])}" if secrets[1] and len(secrets[0] or ()) > 1 else ""
        yield f"Group {vhid}: the Shared Secret {how}{fewer}; the same on all nodes, or they do not believe each other"


def _shown(group: Document, key: str) -> str:
    value = value_of(group, key)
    if key == "description":
        return f'"{value}"'
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
