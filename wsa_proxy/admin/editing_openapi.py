"""What the interface of editing looks like, as data for its OpenAPI 3.1 description: paths and schemas."""

from __future__ import annotations

from typing import Any

type Data = dict[str, Any]

TEXT: Data = {"type": "string"}
TEXT_OR_NULL: Data = {"type": ["string", "null"]}
TEXTS: Data = {"type": "array", "items": TEXT}
FLAG: Data = {"type": "boolean"}
VALUE: Data = {"description": "As the file has it, which may be wrong."}
NUMBER_AS_TYPED: Data = {"type": ["string", "number"]}
REVISION: Data = {
    "type": "string",
    "description": "Of the document that the form was filled from; another one by now is refused.",
}


def _object(properties: Data, *, required: bool = True, closed: bool = True) -> Data:
    more: Data = {"required": list(properties)} if required else {}
    return {"type": "object", "properties": properties, "additionalProperties": not closed} | more


def _ref(name: str) -> Data:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Data, description: str) -> Data:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


GROUP_TYPED: Data = {
    "id": NUMBER_AS_TYPED,
    "description": TEXT,
    "hostname": TEXT,
    "virtual_ip": {"oneOf": [TEXT, TEXTS], "description": "Addresses with prefix; in one text, with commas."},
    "interface": TEXT | {"description": "A name, or auto."},
    "priority": NUMBER_AS_TYPED,
    "shared_secret": TEXT | {"description": "Empty: the one that is set stays."},
    "shared_secret_again": TEXT,
    "advertisement_interval": NUMBER_AS_TYPED,
    "has_secret": FLAG | {"description": "Enable Security for Service: false removes the secret."},
    "secret_file": TEXT_OR_NULL | {"description": "Ignored; from the document."},
    "editable": FLAG | {"description": "Ignored; from the document."},
    "revision": REVISION,
}
SCHEMAS: Data = {
    "Configuration": _object(
        {
            "file": TEXT,
            "writable": FLAG,
            "why_not": TEXT_OR_NULL,
            "interfaces": {"type": "array", "items": _object({"name": TEXT, "addresses": TEXTS})},
            "failover_handling": VALUE,
            "groups": {"type": "array", "items": _ref("ConfigurationGroup")},
            "revision": TEXT,
            "pending": _ref("PendingChanges"),
        }
    ),
    "ConfigurationGroup": _object(
        {
            "id": VALUE,
            "description": VALUE,
            "hostname": VALUE,
            "virtual_ip": TEXTS,
            "interface": VALUE,
            "priority": VALUE,
            "has_secret": FLAG,
            "secret_file": VALUE | {"description": "The value of shared_secret_file, or null."},
            "advertisement_interval": VALUE,
            "editable": FLAG,
        }
    ),
    "PendingChanges": _object(
        {
            "changes": TEXTS | {"description": "A sentence for each."},
            "effects": TEXTS | {"description": "What the running node does with them, as a reload tells it."},
            "warnings": TEXTS,
            "diff": TEXT | {"description": "Unified diff of the file, without its secrets."},
            "by": TEXT_OR_NULL | {"description": "Who began them."},
            "since": TEXT_OR_NULL | {"description": "ISO 8601, UTC."},
            "trouble": TEXT_OR_NULL | {"description": "Why they cannot be committed as they are."},
        }
    ),
    "GroupForm": _object(GROUP_TYPED, required=False),
    "GlobalForm": _object({"failover_handling": TEXT, "revision": REVISION}, required=False),
    "FieldErrors": _object(
        {
            "errors": {
                "type": "object",
                "additionalProperties": TEXT,
                "description": "By form field; the empty name is about the whole.",
            }
        }
    ),
    "Refusal": _object({"error": TEXT}, closed=False),
    "Committed": _object({"changes": TEXTS, "warnings": TEXTS}),
}
REFUSED = _json(_ref("Refusal"), "Not done: the file cannot be written, was changed by somebody else, ...")
SUBMITTED: Data = {
    "200": _json(_ref("Configuration"), "Pending; the configuration as it would be."),
    "409": REFUSED,
    "422": _json(_ref("FieldErrors"), "What is wrong, by form field; nothing is pending of it."),
}
NO_GROUP: Data = {"404": _json(_ref("Refusal"), "There is no such group.")}
ID: Data = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "Failover Group ID.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 255},
}


def _operation(summary: str, responses: Data, form: str = "") -> Data:
    more: Data = {"requestBody": {"required": True, **_json(_ref(form), "As typed.")}} if form else {}
    return {"summary": summary, "responses": responses} | more


PATHS: Data = {
    "/api/configuration": {
        "get": _operation(
            "The configuration with the pending changes.",
            {"200": _json(_ref("Configuration"), "Without its secrets.")},
        )
    },
    "/api/configuration/groups": {"post": _operation("Add Failover Group: submit.", SUBMITTED, "GroupForm")},
    "/api/configuration/groups/{id}": {
        "parameters": [ID],
        "put": _operation("Edit Failover Group: submit.", SUBMITTED | NO_GROUP, "GroupForm"),
        "delete": _operation("Delete Failover Group: submit.", SUBMITTED | NO_GROUP),
    },
    "/api/configuration/global": {"put": _operation("Global Settings: submit.", SUBMITTED, "GlobalForm")},
    "/api/configuration/commit": {
        "post": _operation(
            "Commit Changes: write the file and have the node take it.",
            {"200": _json(_ref("Committed"), "What the node has changed."), "409": REFUSED},
        )
    },
    "/api/configuration/abandon": {
        "post": _operation("Abandon Changes.", {"200": _json(_ref("Configuration"), "Nothing is pending.")})
    },
}
"""Without what every request may be answered: 400, 401, 403, 413."""
