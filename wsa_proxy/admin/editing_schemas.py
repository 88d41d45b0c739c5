"""What the interface of editing takes and answers, as JSON Schema for its description."""

from __future__ import annotations

from collections.abc import Sequence

from wsa_proxy.admin.route import Schema
from wsa_proxy.config.schema import REQUIRED

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
TEXTS: Schema = {"type": "array", "items": TEXT}
FLAG: Schema = {"type": "boolean"}
VALUE: Schema = {"description": "as the file has it, which may be wrong"}
NUMBER_AS_TYPED: Schema = {"type": ["string", "number"]}
REVISION: Schema = TEXT | {"description": "of the document that was looked at; if it is another one by now: 409"}
IGNORED: Schema = {"description": "of the document; ignored"}


def _object(properties: dict[str, Schema], required: Sequence[str] | None = None) -> Schema:
    """With these keys and no others; all of them, unless ``required`` says which must be there."""
    needed = [*(properties if required is None else required)]
    return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


GROUP: Schema = _object(
    {
        "id": VALUE,
        "description": VALUE,
        "hostname": VALUE,
        "virtual_ip": TEXTS,
        "interface": VALUE,
        "priority": VALUE,
        "has_secret": FLAG,
        "secret_file": VALUE | {"description": "the value of shared_secret_file, or null"},
        "advertisement_interval": VALUE,
        "editable": FLAG,
    }
)
PENDING: Schema = _object(
    {
        "changes": TEXTS | {"description": "a sentence for each"},
        "effects": TEXTS | {"description": "what the running node does with them, as a reload tells it"},
        "warnings": TEXTS,
        "diff": TEXT | {"description": "of the file, unified, without its secrets"},
        "by": TEXT_OR_NULL | {"description": "who began them"},
        "since": TEXT_OR_NULL | {"description": "ISO 8601, UTC"},
        "trouble": TEXT_OR_NULL | {"description": "why they cannot be committed as they are"},
    }
)
CONFIGURATION: Schema = _object(
    {
        "file": TEXT,
        "writable": FLAG,
        "why_not": TEXT_OR_NULL,
        "interfaces": {"type": "array", "items": _object({"name": TEXT, "addresses": TEXTS})},
        "failover_handling": VALUE,
        "groups": {"type": "array", "items": GROUP},
        "revision": TEXT,
        "pending": PENDING,
    }
)
FIELDS: dict[str, Schema] = {
    "id": NUMBER_AS_TYPED,
    "description": TEXT,
    "hostname": TEXT,
    "virtual_ip": {"oneOf": [TEXT, TEXTS], "description": "addresses with prefix; in one text, with commas"},
    "interface": TEXT | {"description": "a name, or auto"},
    "priority": NUMBER_AS_TYPED,
    "shared_secret": TEXT | {"description": "empty: the one that is set stays"},
    "shared_secret_again": TEXT,
    "advertisement_interval": NUMBER_AS_TYPED,
    "has_secret": FLAG | {"description": "Enable Security for Service: false removes the secret"},
    "secret_file": IGNORED,
    "editable": IGNORED,
    "revision": REVISION,
}
"""Of a group's form, as typed."""
ADD_FORM: Schema = _object(FIELDS, REQUIRED)
EDIT_FORM: Schema = _object(FIELDS, ())
"""What is left out leaves the file as it is."""
HANDLING: Schema = {"type": "string", "enum": ["preemptive", "non-preemptive"]}
GLOBAL_FORM: Schema = _object({"failover_handling": HANDLING, "revision": REVISION}, ("failover_handling",))
SEEN: Schema = _object({"revision": REVISION}, ())
"""What was looked at, for whoever decides on it."""
COMMITTED: Schema = _object({"changes": TEXTS, "warnings": TEXTS})
