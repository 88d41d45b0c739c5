"""The fields of a form as somebody typed them, and the values of the configuration file that they become.

Only what the file's own check cannot know is judged here: numbers that are no numbers, secrets that were typed twice
and differ, what must not be left empty. The rest is judged where a file edited by hand is judged, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wsa_proxy.admin.yaml_spelling import Value
from wsa_proxy.config.schema import ALLOWED
from wsa_proxy.config.schema import REQUIRED
from wsa_proxy.config.schema import GroupKeys
from wsa_proxy.config.source import Problem
from wsa_proxy.config.source import printable

TEXTS = ("description", "hostname", "interface")
NUMBERS = ("id", "priority", "advertisement_interval")
FIELDS = (
    "id", "description", "hostname", "virtual_ip", "interface", "priority", "shared_secret", "advertisement_interval"
)  # fmt: skip
"""Keys of a group that a form has, in its order and the file's."""
AGAIN = "shared_secret_again"
SHOWN_ONLY = ("has_secret", "secret_file", "editable")
GROUP_FORM = (*FIELDS, AGAIN, *SHOWN_ONLY, "revision")
GLOBAL_FORM = ("failover_handling", "revision")
DEFAULTS: dict[str, Value] = {
    key: GroupKeys.model_fields[key].default for key in ("description", "interface", "advertisement_interval")
}
"""Of the keys of a group that a form has and a file may leave out."""
KEY_OF_GROUP = re.compile(r"groups\[(?P<n>\d+)\](?:\.(?P<key>\w+))?")
QUOTES = "'\""
SECONDS_LIMIT = 1000
"""Above this a number is no interval, and below it a float that is whole is exactly that number."""


class FormError(Exception):
    """What is wrong, by form field; ``""`` is about the whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {text}" if field else text for field, text in errors.items()))
        self.errors = dict(errors)


@dataclass(frozen=True, slots=True)
class Typed:
    """A form that was understood."""

    values: dict[str, Value]
    """Of the keys that it sets, in the order of FIELDS; the Shared Secret is among them when there is a new one."""
    secret_off: bool = False
    """Enable Security for Service was turned off."""


def read_group(form: Mapping[str, Any], *, new: bool, has_secret: bool = False) -> Typed:
    """A group's form. Fields that are not there leave the file as it is. Raises FormError.

    ``new``: the group is to be added. ``has_secret``: the group that is edited has one, which an empty field keeps.
    """
    errors = unknown_fields(form, GROUP_FORM)
    values: dict[str, Value] = {}
    for field in FIELDS:
        if field == "shared_secret" or (field not in form and not (new and field in REQUIRED)):
            continue
        try:
            values[field] = _value(field, form.get(field))
        except ValueError as error:
            errors[field] = str(error)
    enabled = form.get("has_secret")
    if not isinstance(enabled, bool | None):
        errors["has_secret"] = "must be true or false"
    elif enabled is not False:
        secret = _secret(form, errors, needed=enabled is True and not has_secret)
        if secret:
            values["shared_secret"] = secret
    if errors:
        raise FormError(errors)
    return Typed({field: values[field] for field in FIELDS if field in values}, enabled is False)


def read_global(form: Mapping[str, Any]) -> dict[str, Value]:
    """The form of the Global Settings. Raises FormError."""
    errors = unknown_fields(form, GLOBAL_FORM)
    handling = form.get("failover_handling")
    if not isinstance(handling, str):
        errors["failover_handling"] = ALLOWED["failover_handling"]
    if errors or not isinstance(handling, str):
        raise FormError(errors)
    return {"failover_handling": handling}


def errors_by_field(problems: Sequence[Problem], groups: Sequence[Mapping[str, Any]], n: int | None) -> dict[str, str]:
    """What the file's check has found, by the form's fields; what has none is under ``""``.

    ``groups``: of the file as it would be. ``n``: the number of the group that the form is of; None: of none.
    """
    errors: dict[str, list[str]] = {}
    for problem in problems:
        found = KEY_OF_GROUP.match(problem.key)
        field = str(found["key"]).removesuffix("_file") if found else problem.key
        own = n is not None and found is not None and (int(found["n"]) == n or _is_said_by(groups[n], field, problem))
        if (own and field in FIELDS) or (n is None and field in GLOBAL_FORM):
            typed = (problem.value or "").strip(QUOTES)  # they are the file's, and nobody has typed them
            errors.setdefault(field, []).append(f"{typed}: {problem.text}" if typed else problem.text)
        else:
            errors.setdefault("", []).append(told(problem, groups))
    return {field: "; ".join(texts) for field, texts in errors.items()}


def told(problem: Problem, groups: Sequence[Mapping[str, Any]]) -> str:
    """A problem without its place in the file, which is not written yet: ``group 2, priority: 5: is low``."""
    found = KEY_OF_GROUP.match(problem.key)
    number = int(found["n"]) if found else -1
    of_group = f"group {groups[number].get('id', number + 1)}" if 0 <= number < len(groups) else ""
    key = problem.key[found.end("n") + 1 :].removeprefix(".") if found and of_group else problem.key
    place = ", ".join(part for part in (of_group, key) if part)
    return ": ".join(part for part in (place, problem.value, problem.text) if part)


def _is_said_by(group: Mapping[str, Any], field: str, problem: Problem) -> bool:
    """Of two groups with the same value the second is named, whichever was edited."""
    values = group.get(field)
    said = [str(value) for value in (values if isinstance(values, list) else [values])]
    return field in ("id", "virtual_ip") and (problem.value or "").strip(QUOTES) in said


def unknown_fields(form: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, str]:
    """The errors of a form with a field that it does not have."""
    unknown = ", ".join(field for field in form if field not in known)
    return {"": f"there is no field {printable(unknown)}; known are {', '.join(known)}"} if unknown else {}


def _value(field: str, typed: object) -> Value:
    """Raises ValueError with what the field must be."""
    if isinstance(typed, str):
        typed = typed.strip()
    if typed in (None, "", []):
        if field in REQUIRED:
            raise ValueError(f"missing; it {ALLOWED[field]}")
        return DEFAULTS[field]
    if field == "virtual_ip":
        return _addresses(typed)
    if field in NUMBERS:
        return _number(field, typed)
    if not isinstance(typed, str):
        raise ValueError(ALLOWED[field])
    return typed


def _addresses(typed: object) -> Value:
    """Of a list, or of one text with commas or on several lines."""
    if isinstance(typed, str):
        typed = re.split(r"[,;\n]", typed)
    if not isinstance(typed, list) or not all(isinstance(each, str) for each in typed):
        raise ValueError(ALLOWED["virtual_ip"])
    addresses = [stripped for each in typed if (stripped := each.strip())]
    if not addresses:
        raise ValueError(f"missing; it {ALLOWED['virtual_ip']}")
    return addresses


def _number(field: str, typed: object) -> int | float:
    if isinstance(typed, str) and re.fullmatch(r"\d{1,9}", typed):
        return int(typed)
    if isinstance(typed, str) and field == "advertisement_interval" and re.fullmatch(r"\d{0,3}\.\d{0,6}\d", typed):
        typed = float(typed)
    if isinstance(typed, float) and typed.is_integer() and abs(typed) < SECONDS_LIMIT:
        typed = int(typed)
    if isinstance(typed, float) and not math.isfinite(typed):
        raise ValueError(ALLOWED[field])
    wanted = int | float if field == "advertisement_interval" else int
    if isinstance(typed, bool) or not isinstance(typed, wanted):
        raise ValueError(f"{printable(typed)}: {ALLOWED[field]}" if isinstance(typed, str) else ALLOWED[field])
    return typed


def _secret(form: Mapping[str, Any], errors: dict[str, str], *, needed: bool) -> str:
    """The secret that was typed twice; empty when none was."""
    typed, again = form.get("shared_secret") or "", form.get(AGAIN) or ""
    if not isinstance(typed, str) or not isinstance(again, str):
        errors["shared_secret"] = "must be text"
        return ""
    if typed != again:
        errors[AGAIN] = "is not the same as the Shared Secret above; type both again"
    elif needed and not typed:
        errors["shared_secret"] = "missing; write one of 12 to 19 bytes, the same on all hosts"
    return typed
