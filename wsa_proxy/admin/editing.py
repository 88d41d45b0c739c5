"""Submit, then Commit Changes: the configuration file of a running node, edited through forms.

A node has one set of pending changes, which all sessions share, as on the WSA. What is submitted is judged at once, as
the whole file that it would make, by the very check that a reload makes. Nothing is written before the commit; then the
file is replaced in one step and the node takes it. If the node refuses it, the old file is put back.

Waits for files are spent in threads; one request after the other has its turn.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from typing import Any

from wsa_proxy.admin import configuration_file
from wsa_proxy.admin.configuration_file import CHANGED_MEANWHILE
from wsa_proxy.admin.configuration_file import Content
from wsa_proxy.admin.configuration_file import FileError
from wsa_proxy.admin.form import FormError
from wsa_proxy.admin.form import errors_by_field
from wsa_proxy.admin.form import read_global
from wsa_proxy.admin.form import read_group
from wsa_proxy.admin.form import told
from wsa_proxy.admin.masking import masked_diff
from wsa_proxy.admin.pending import AddGroup
from wsa_proxy.admin.pending import CannotApply
from wsa_proxy.admin.pending import DeleteGroup
from wsa_proxy.admin.pending import Document
from wsa_proxy.admin.pending import EditGlobal
from wsa_proxy.admin.pending import EditGroup
from wsa_proxy.admin.pending import Operation
from wsa_proxy.admin.pending import apply
from wsa_proxy.admin.pending import groups_of
from wsa_proxy.admin.pending import sentences
from wsa_proxy.admin.pending import value_of
from wsa_proxy.config import ConfigError
from wsa_proxy.config import Loaded
from wsa_proxy.config.interfaces import InterfaceChoice
from wsa_proxy.config.interfaces import interface_choices
from wsa_proxy.config.source import read_document
from wsa_proxy.runtime.reload import Fate
from wsa_proxy.runtime.reload import make_plan
from wsa_proxy.runtime.tasks import create_task
from wsa_proxy.settings import Settings

SUBMITS_MAX = 200  # each is made again when somebody else has written the file
NOTHING_PENDING = "there are no pending changes"
OTHER_REVISION = "somebody else has changed the configuration since this form was filled; load it again"
OTHER_PENDING = "somebody else has changed what is pending since it was shown; look at it once more"
DO_NOT_FIT = "the file was changed by somebody else, and the pending changes do not fit it any more; abandon them"

type Form = Mapping[str, Any]
type Report = Mapping[str, Any]
"""What ``proxy.reload`` answers: changes, warnings, errors, refused."""


class Refused(Exception):
    """Not done, for a reason that is in no field."""

    def __init__(self, text: str, errors: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.errors = list(errors)


class NoSuchGroup(Exception):
    """The file, with the pending changes, has no group with this id."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What was submitted."""

    base: Content
    """The file when the last of it was submitted."""
    operations: tuple[Operation, ...]
    text: str = field(repr=False)
    """What they make of the file."""
    document: Document = field(repr=False)
    """The values of that text."""
    settings: Settings = field(repr=False)
    """What it would be loaded as."""
    changes: tuple[str, ...]
    warnings: tuple[str, ...]
    diff: str
    by: str
    """Who began it."""
    since: str
    """ISO 8601, UTC."""


class Editing:
    """Of one node. ``present`` are the settings in force, ``check`` judges a text as a reload would; it may take its
    time. ``asker`` is who asks in this moment, for people."""

    def __init__(
        self,
        present: Callable[[], Settings],
        check: Callable[[str], Loaded],
        reload: Callable[[], Awaitable[Report]],
        *,
        asker: Callable[[], str] = lambda: "",
        interfaces: Callable[[], Sequence[InterfaceChoice]] = interface_choices,
    ) -> None:
        self._present = present
        self._file = present().source
        self._check = check
        self._reload = reload
        self._asker = asker
        self._interfaces = interfaces
        self._pending: Pending | None = None
        self._turn = asyncio.Lock()
        self._revision_key = secrets.token_bytes(16)  # a plain digest of the file would let its secrets be guessed

    async def document(self) -> dict[str, Any]:
        """The configuration as it would be with the pending changes, without its secrets."""
        async with self._turn:
            return await asyncio.to_thread(self._document)

    async def add_group(self, form: Form) -> dict[str, Any]:
        """Submit. Raises FormError or Refused, as each submit."""
        return await self._submit(form, lambda _: AddGroup(read_group(form, new=True).values))

    async def edit_group(self, vhid: int, form: Form) -> dict[str, Any]:
        """Submit. Raises NoSuchGroup as well."""
        return await self._submit(form, lambda document: _edit(document, vhid, form))

    async def delete_group(self, vhid: int, revision: str | None = None) -> dict[str, Any]:
        """Submit. Raises NoSuchGroup as well. ``revision``: of the document that was looked at; None: of any."""

        def make(document: Document) -> Operation:
            _group(document, vhid)
            return DeleteGroup(vhid)

        return await self._submit({"revision": revision}, make)

    async def edit_global(self, form: Form) -> dict[str, Any]:
        """Submit."""
        return await self._submit(form, lambda _: EditGlobal(read_global(form)))

    async def abandon(self, revision: str | None = None) -> dict[str, Any]:
        """The pending changes are forgotten. Raises Refused when they are others than those of ``revision``."""
        async with self._turn:
            await self._look_at(revision)
            self._pending = None
            return await asyncio.to_thread(self._document)

    async def commit(self, revision: str | None = None) -> dict[str, Any]:
        """Write the file and have the node take it: its changes and warnings. Raises Refused: the file is as it was,
        unless the text says something else."""
        end_of_commit = self._end_of_commit(revision)
        commit: asyncio.Task[dict[str, Any] | Refused] = create_task(end_of_commit, name="failover commit")
        await asyncio.wait([commit])  # whoever hangs up does not leave a file that the node has not seen
        end = commit.result()
        if isinstance(end, Refused):
            raise end
        return end

    async def _submit(self, form: Form, make: Callable[[Document], Operation]) -> dict[str, Any]:
        by, since = self._asker(), datetime.now(UTC).isoformat(timespec="milliseconds")
        async with self._turn:
            self._pending = await asyncio.to_thread(self._submitted, form.get("revision"), make, by, since)
            return await asyncio.to_thread(self._document)

    def _submitted(
        self, revision: object, make: Callable[[Document], Operation], by: str, since: str
    ) -> Pending | None:
        """The pending changes with another one among them; None when nothing is left of them."""
        if reason := configuration_file.why_not_writable(self._file):
            raise Refused(reason)
        try:
            base = configuration_file.read(self._file)
            operations = self._pending.operations if self._pending else ()
            if len(operations) >= SUBMITS_MAX:
                raise Refused(f"{SUBMITS_MAX} changes are pending; commit or abandon them first")
            text = self._with_all(base)
            before = read_document(self._file, text).data
            if revision is not None and revision != self._revision(text):
                raise Refused(OTHER_REVISION)
            operation = make(before)
            text = apply(text, operation, self._file)
        except CannotApply as error:
            raise FormError({"": str(error)}) from None
        except (FileError, ConfigError) as error:
            raise Refused(str(error)) from None
        loaded = self._judged(text, operation)
        if text == base.text:
            return None
        if self._pending:
            by, since = self._pending.by, self._pending.since
        return self._with_words(base, (*operations, operation), text, loaded, by, since)

    def _with_words(
        self, base: Content, operations: tuple[Operation, ...], text: str, loaded: Loaded, by: str, since: str
    ) -> Pending:
        """What is shown of it, made once: of a file with 255 groups it takes seconds."""
        before, after = (read_document(self._file, each).data for each in (base.text, text))
        return Pending(
            base=base,
            operations=operations,
            text=text,
            document=after,
            settings=loaded.settings,
            changes=tuple(sentences(before, after, operations)),
            warnings=tuple(told(problem, groups_of(after)) for problem in loaded.warnings),
            diff=masked_diff(base.text, text, self._file.name),
            by=by,
            since=since,
        )

    def _with_all(self, base: Content) -> str:
        """The file with the pending changes. Raises Refused when somebody has written what they do not fit."""
        if self._pending is None or self._pending.base.raw == base.raw:
            return self._pending.text if self._pending else base.text
        text = base.text
        try:
            for operation in self._pending.operations:
                text = apply(text, operation, self._file)
        except (CannotApply, ConfigError) as error:
            raise Refused(DO_NOT_FIT, str(error).splitlines()) from None
        return text

    def _judged(self, text: str, operation: Operation) -> Loaded:
        """Raises FormError."""
        try:
            return self._check(text)
        except ConfigError as error:
            groups = groups_of(read_document(self._file, text).data)
            n = None
            if isinstance(operation, AddGroup):
                n = len(groups) - 1
            elif isinstance(operation, EditGroup):
                vhid = operation.values.get("id", operation.vhid)
                n = next(n for n, group in enumerate(groups) if group.get("id") == vhid)
            raise FormError(errors_by_field(error.problems, groups, n)) from None

    async def _look_at(self, revision: str | None) -> None:
        """Raises Refused when whoever asks has seen another state than this one; he must not decide on it."""
        if revision is not None and revision != (await asyncio.to_thread(self._document))["revision"]:
            raise Refused(OTHER_PENDING)

    async def _end_of_commit(self, revision: str | None) -> dict[str, Any] | Refused:
        """A refusal is an end of the task, not its death."""
        try:
            return await self._commit(revision)
        except Refused as refusal:
            return refusal

    async def _commit(self, revision: str | None) -> dict[str, Any]:
        async with self._turn:
            pending = self._pending
            if pending is None:
                raise Refused(NOTHING_PENDING)
            await self._look_at(revision)
            written = pending.base.with_text(pending.text)
            await asyncio.to_thread(self._write, pending, written)
            report = await self._reload()
            errors = list(report.get("errors", ()))
            if errors and report.get("refused"):
                raise Refused(await asyncio.to_thread(self._put_back, pending, written), errors)
            self._pending = None
            if errors:
                raise Refused("the file is written; whether the node has taken it is not known", errors)
            return {"changes": list(report.get("changes", ())), "warnings": list(report.get("warnings", ()))}

    def _write(self, pending: Pending, written: bytes) -> None:
        """Judged once more: the host may be another one since the submit. Raises Refused."""
        try:
            self._check(pending.text)
            configuration_file.write(self._file, written, pending.base.raw)
        except ConfigError as error:
            raise Refused("the pending changes are wrong by now", [str(each) for each in error.problems]) from None
        except FileError as error:
            raise Refused(str(error)) from None

    def _put_back(self, pending: Pending, written: bytes) -> str:
        try:
            configuration_file.write(self._file, pending.base.raw, written)
        except FileError as error:
            return f"the node has refused the file, and the old one cannot be put back: {error}"
        return "the node has refused the file; the old one is back, and the changes are still pending"

    def _document(self) -> dict[str, Any]:
        """Forms are filled with what the next submit begins with, also when somebody has written the file meanwhile."""
        pending, trouble = self._pending, None
        why_not = configuration_file.why_not_writable(self._file)
        try:
            base = configuration_file.read(self._file)
            if pending and pending.base.raw != base.raw:
                trouble = CHANGED_MEANWHILE
            text = self._with_all(base)
            data = pending.document if pending and text == pending.text else read_document(self._file, text).data
        except Refused as error:
            assert pending is not None
            text, data, trouble = pending.text, pending.document, str(error)
        except (FileError, ConfigError) as error:
            text, data, why_not, trouble = "", {}, str(error), CHANGED_MEANWHILE
        return {
            "file": str(self._file),
            "writable": why_not is None,
            "why_not": why_not,
            "interfaces": self._interface_menu(),
            "failover_handling": value_of(data, "failover_handling"),
            "groups": [_group_form(group) for group in groups_of(data)],
            "revision": self._revision(text),
            "pending": self._pending_document(pending, trouble),
        }

    def _pending_document(self, pending: Pending | None, trouble: str | None) -> dict[str, Any]:
        if pending is None:
            return {
                "changes": [], "effects": [], "warnings": [], "diff": "", "by": None, "since": None, "trouble": None
            }  # fmt: skip
        plan = make_plan(self._present(), pending.settings)
        anew = [f"Group {vhid} starts anew on this node: its connections end" for vhid in plan.ids(Fate.RESTARTED)]
        return {
            "changes": [*pending.changes, *anew],
            "effects": list(plan.lines),
            "warnings": list(pending.warnings),
            "diff": pending.diff,
            "by": pending.by,
            "since": pending.since,
            "trouble": trouble,
        }

    def _interface_menu(self) -> list[dict[str, Any]]:
        try:
            return [{"name": each.name, "addresses": list(each.addresses)} for each in self._interfaces()]
        except OSError:
            return []  # whoever submits is told by the check

    def _revision(self, text: str) -> str:
        return hashlib.blake2b(text.encode(), key=self._revision_key, digest_size=8).hexdigest()


def _edit(document: Document, vhid: int, form: Form) -> EditGroup:
    group = _group(document, vhid)
    typed = read_group(form, new=False, has_secret=_has_secret(group))
    if "shared_secret_file" in group and (typed.secret_off or "shared_secret" in typed.values):
        raise FormError({"shared_secret": f"is in the file {group['shared_secret_file']}; change it there"})
    return EditGroup(vhid, typed.values, typed.secret_off)


def _group(document: Document, vhid: int) -> dict[str, Any]:
    for group in groups_of(document):
        if group.get("id") == vhid:
            return group
    raise NoSuchGroup(f"there is no group {vhid}")


def _has_secret(group: Document) -> bool:
    return "shared_secret" in group or "shared_secret_file" in group


def _group_form(group: Document) -> dict[str, Any]:
    virtual_ip = value_of(group, "virtual_ip") or []
    return {
        "id": group.get("id"),
        "description": value_of(group, "description"),
        "hostname": group.get("hostname", ""),
        "virtual_ip": [str(each) for each in virtual_ip],
        "interface": value_of(group, "interface"),
        "priority": group.get("priority"),
        "has_secret": _has_secret(group),
        "secret_file": group.get("shared_secret_file"),
        "advertisement_interval": value_of(group, "advertisement_interval"),
        "editable": True,
    }
