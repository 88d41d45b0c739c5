"""The description is whole, and takes each form that the node takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wsa_proxy.admin.editing_openapi import PATHS
from wsa_proxy.admin.editing_openapi import SCHEMAS
from wsa_proxy.admin.form import GLOBAL_FORM
from wsa_proxy.admin.form import GROUP_FORM


def references(data: Any) -> Iterator[str]:
    if isinstance(data, dict):
        yield from ([data["$ref"]] if "$ref" in data else [])
        for each in data.values():
            yield from references(each)
    elif isinstance(data, list):
        for each in data:
            yield from references(each)


def test_what_is_referred_to_is_there_and_the_other_way_round() -> None:
    """No schema is left over."""
    used = {reference.removeprefix("#/components/schemas/") for reference in references([PATHS, SCHEMAS])}
    assert used == set(SCHEMAS)


def test_the_forms_are_those_that_are_read() -> None:
    """Field by field."""
    assert set(SCHEMAS["GroupForm"]["properties"]) == set(GROUP_FORM)
    assert set(SCHEMAS["GlobalForm"]["properties"]) == set(GLOBAL_FORM)


def test_every_answer_has_its_words() -> None:
    """And every operation."""
    for operations in PATHS.values():
        for method, operation in operations.items():
            if method != "parameters":
                assert operation["summary"].endswith(".")
                assert all(response["description"] for response in operation["responses"].values())
