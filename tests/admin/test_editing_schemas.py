"""The descriptions are those of the forms that are read, and of the documents that are answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.admin.node import SECOND
from tests.admin.node import World
from wsa_proxy.admin import form
from wsa_proxy.admin.editing_schemas import ADD_FORM
from wsa_proxy.admin.editing_schemas import CONFIGURATION
from wsa_proxy.admin.editing_schemas import EDIT_FORM
from wsa_proxy.admin.editing_schemas import GLOBAL_FORM


def test_the_forms_are_those_that_are_read() -> None:
    """Field by field."""
    assert set(ADD_FORM["properties"]) == set(EDIT_FORM["properties"]) == set(form.GROUP_FORM)
    assert set(GLOBAL_FORM["properties"]) == set(form.GLOBAL_FORM)


async def test_the_document_is_as_described(tmp_path: Path) -> None:
    """Key by key, with changes that wait and without."""
    editing = World(tmp_path).editing
    fits(await editing.document(), CONFIGURATION)
    fits(await editing.add_group(SECOND), CONFIGURATION)


def fits(value: Any, schema: dict[str, Any]) -> None:
    """As far as these descriptions go: closed objects, lists, and the types of single values."""
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "number": float | int}
    wanted = schema.get("type", [*kinds])
    assert any(isinstance(value, kinds[kind]) for kind in ([wanted] if isinstance(wanted, str) else wanted)), value
    if schema.get("type") == "array":
        for each in value:
            fits(each, schema["items"])
    if schema.get("type") == "object":
        assert value.keys() == schema["properties"].keys()
        for key, each in value.items():
            fits(each, schema["properties"][key])
