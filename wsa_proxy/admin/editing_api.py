"""The interface of editing: submit, commit and abandon, in the name of whoever asks; rows for the table of routes."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from wsa_proxy.admin.api import ApiHandler
from wsa_proxy.admin.editing import Editing
from wsa_proxy.admin.editing import Form
from wsa_proxy.admin.editing import NoSuchGroup
from wsa_proxy.admin.editing import Refused
from wsa_proxy.admin.editing_schemas import ADD_FORM
from wsa_proxy.admin.editing_schemas import COMMITTED
from wsa_proxy.admin.editing_schemas import CONFIGURATION
from wsa_proxy.admin.editing_schemas import EDIT_FORM
from wsa_proxy.admin.editing_schemas import GLOBAL_FORM
from wsa_proxy.admin.editing_schemas import SEEN
from wsa_proxy.admin.form import FormError
from wsa_proxy.admin.form import unknown_fields
from wsa_proxy.admin.handler import Refusal
from wsa_proxy.admin.handler import Site
from wsa_proxy.admin.route import Operation
from wsa_proxy.admin.route import Route
from wsa_proxy.admin.route import Schema
from wsa_proxy.config.source import printable

SUBMITTED = {
    409: "not done: the file cannot be written, or somebody else has changed it",
    415: "the body is not called JSON",
    422: "what is wrong, by form field, in errors; nothing waits of it",
}
DECIDED = {
    409: "not done, and why: others have changed what is pending, or the file, or the node refuses it",
    415: "the body is not called JSON",
    422: "the body is no object with a revision",
}
LOOKED_AT = {"revision": "of the document that was looked at; left out: whatever it is by now"}
NO_GROUP = {404: "there is no such group"}


class EditingHandler(ApiHandler):
    """Of one node's editing."""

    def initialize(self, site: Site, editing: Editing | None = None) -> None:
        assert editing is not None
        super().initialize(site)
        self.editing = editing

    def form(self) -> Form:
        """What was typed. Raises Refusal. The log gets the fields' names: one of them is a secret."""
        body = self.json_body()
        if not isinstance(body, dict):
            raise Refusal(422, "the body must be an object with the form's fields")
        self.told = printable(f"with {', '.join(sorted(body)) or 'no field'}")
        return body

    async def carry_out(self, work: Awaitable[dict[str, Any]]) -> None:
        """Answer what comes of it. Raises Refusal."""
        try:
            with self.in_own_name():
                document = await work
        except NoSuchGroup as error:
            raise Refusal(404, str(error)) from None
        except Refused as error:
            raise Refusal(409, ": ".join([str(error), *(["; ".join(error.errors)] if error.errors else [])])) from None
        except FormError as error:
            self.told = f"{self.told} {error}".strip()
            self.answer({"error": str(error), "errors": error.errors}, 422)
        else:
            self.answer(document)

    def revision(self) -> str | None:
        """Of the document that was looked at; None: whatever it is. Raises Refusal."""
        form = self.form()
        if wrong := unknown_fields(form, ("revision",)):
            raise Refusal(422, wrong[""])
        revision = form.get("revision")
        if not isinstance(revision, str | None):
            raise Refusal(422, "revision must be text")
        return revision

    def vhid(self, text: str) -> int:
        """Of the group in the path. Raises Refusal."""
        if not text.isascii() or not text.isdecimal() or len(text) > 3:
            raise Refusal(404, f"there is no group {printable(text)}")
        return int(text)


class Configuration(EditingHandler):
    """``GET /api/configuration``."""

    async def get(self) -> None:
        await self.carry_out(self.editing.document())


class Groups(EditingHandler):
    """``POST /api/configuration/groups``."""

    async def post(self) -> None:
        await self.carry_out(self.editing.add_group(self.form()))


class Group(EditingHandler):
    """``PUT`` and ``DELETE /api/configuration/groups/ID``."""

    async def put(self, group: str) -> None:
        await self.carry_out(self.editing.edit_group(self.vhid(group), self.form()))

    async def delete(self, group: str) -> None:
        await self.carry_out(self.editing.delete_group(self.vhid(group), self.get_query_argument("revision", None)))


class Global(EditingHandler):
    """``PUT /api/configuration/global``."""

    async def put(self) -> None:
        await self.carry_out(self.editing.edit_global(self.form()))


class Commit(EditingHandler):
    """``POST /api/configuration/commit``."""

    async def post(self) -> None:
        await self.carry_out(self._committed(self.revision()))

    async def _committed(self, revision: str | None) -> dict[str, Any]:
        document = await self.editing.commit(revision)
        self.told = "; ".join(document["changes"])
        return document


class Abandon(EditingHandler):
    """``POST /api/configuration/abandon``."""

    async def post(self) -> None:
        await self.carry_out(self.editing.abandon(self.revision()))


def _submit(summary: str, form: Schema, refusals: dict[int, str] | None = None) -> Operation:
    return Operation(f"{summary}: submit", CONFIGURATION, body=form, refusals={**SUBMITTED, **(refusals or {})})


def routes(editing: Editing) -> tuple[Route, ...]:
    """For the table of routes."""
    here = {"editing": editing}
    base = "/api/configuration"
    commit = "Commit Changes: write the file and have the node take it"
    delete = Operation(
        "Delete Failover Group: submit", CONFIGURATION, query=LOOKED_AT, refusals={**SUBMITTED, **NO_GROUP}
    )
    return (
        Route(base, Configuration, {"GET": Operation("The configuration with what waits", CONFIGURATION)}, here),
        Route(f"{base}/groups", Groups, {"POST": _submit("Add Failover Group", ADD_FORM)}, here),
        Route(
            f"{base}/groups/{{group}}",
            Group,
            {
                "PUT": _submit("Edit Failover Group", EDIT_FORM, NO_GROUP),
                "DELETE": delete,
            },
            here,
        ),
        Route(f"{base}/global", Global, {"PUT": _submit("Edit Global Settings", GLOBAL_FORM)}, here),
        Route(f"{base}/commit", Commit, {"POST": Operation(commit, COMMITTED, body=SEEN, refusals=DECIDED)}, here),
        Route(
            f"{base}/abandon",
            Abandon,
            {"POST": Operation("Abandon Changes", CONFIGURATION, body=SEEN, refusals=DECIDED)},
            here,
        ),
    )
