"""Submit, commit, abandon: nothing is written before the commit, and what the node does not take is not left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.config.example import GOOD
from tests.config.example import HOST
from tests.config.example import changed
from wsa_proxy.admin import configuration_file
from wsa_proxy.admin import editing as editing_module
from wsa_proxy.admin.configuration_file import CHANGED_MEANWHILE
from wsa_proxy.admin.editing import DO_NOT_FIT
from wsa_proxy.admin.editing import NOTHING_PENDING
from wsa_proxy.admin.editing import OTHER_REVISION
from wsa_proxy.admin.editing import Editing
from wsa_proxy.admin.editing import NoSuchGroup
from wsa_proxy.admin.editing import Refused
from wsa_proxy.admin.form import GROUP_FORM
from wsa_proxy.admin.form import FormError
from wsa_proxy.config import Loaded
from wsa_proxy.config import load
from wsa_proxy.config.interfaces import interface_choices

SECOND = {
    "id": "2",
    "description": "",
    "hostname": "b.example.com",
    "virtual_ip": ["10.0.0.4/24"],
    "interface": "auto",
    "priority": "200",
    "shared_secret": "another-secret!",
    "shared_secret_again": "another-secret!",
    "advertisement_interval": "1",
}


class World:
    """A node with its file; it takes what is right, unless it is told to refuse."""

    def __init__(self, folder: Path) -> None:
        (folder / "state").mkdir(mode=0o700)
        self.file = folder / "node.yaml"
        self.write(GOOD)
        self.settings = self.check(GOOD).settings
        self.report: dict[str, Any] | None = None
        self.taken: list[str] = []
        self.who = "page from 127.0.0.1"
        self.editing = Editing(
            lambda: self.settings,
            self.check,
            self.reload,
            asker=lambda: self.who,
            interfaces=lambda: interface_choices(HOST),
        )

    def write(self, text: str) -> None:
        self.file.write_text(text)
        self.file.chmod(0o600)

    def check(self, text: str) -> Loaded:
        return load(self.file, text=text, host=HOST)

    async def reload(self) -> dict[str, Any]:
        await asyncio.sleep(0)
        self.taken.append(self.file.read_text())
        return self.report or {"changes": ["group 2 begins"], "warnings": ["a word"], "errors": [], "refused": False}


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def refused(submit: Any) -> dict[str, str]:
    with pytest.raises(FormError) as caught:
        await submit
    return caught.value.errors


async def test_the_document_has_what_the_forms_show_and_no_secret(world: World) -> None:
    """Values that the file leaves out are their defaults."""
    document = await world.editing.document()
    assert document.pop("revision")
    assert document == {
        "file": str(world.file),
        "writable": True,
        "why_not": None,
        "interfaces": [
            {"name": "eth0", "addresses": ["10.0.0.1/24", "fd00:77::1/64"]},
            {"name": "eth1", "addresses": ["192.168.7.1/24"]},
        ],
        "failover_handling": "preemptive",
        "groups": [
            {
                "id": 1,
                "description": "",
                "hostname": "proxy.example.com",
                "virtual_ip": ["10.0.0.3/24"],
                "interface": "auto",
                "priority": 255,
                "has_secret": True,
                "secret_file": None,
                "advertisement_interval": 1,
                "editable": True,
            }
        ],
        "pending": {
            "changes": [], "effects": [], "warnings": [], "diff": "", "by": None, "since": None, "trouble": None
        },
    }  # fmt: skip


async def test_what_is_submitted_is_pending_for_all_sessions_until_it_is_committed(world: World) -> None:
    """The second session adds to what the first one began; the file has nothing of it."""
    await world.editing.add_group(SECOND)
    world.who = "page from 10.0.0.9"
    document = await world.editing.edit_group(1, {"priority": 100})
    assert document == await world.editing.document() and world.file.read_text() == GOOD
    pending = document["pending"]
    assert pending["changes"] == [
        "Group 1: Priority 255 -> 100",
        "Group 2 is added: 10.0.0.4/24, Priority 200",
    ]
    assert pending["effects"] == ["group 1: priority 255 -> 100", "group 2 begins: 10.0.0.4/24 on eth0"]
    assert pending["by"] == "page from 127.0.0.1" and pending["since"].endswith("+00:00")
    assert "+    shared_secret: ******** (changed)\n" in pending["diff"] and "another-secret!" not in str(document)
    assert [group["priority"] for group in document["groups"]] == [100, 200]
    assert await world.editing.commit() == {"changes": ["group 2 begins"], "warnings": ["a word"]}
    assert world.taken == [world.file.read_text()] and "another-secret!" in world.taken[0]
    assert (await world.editing.document())["pending"]["changes"] == []
    assert world.file.stat().st_mode & 0o777 == 0o600


async def test_what_is_abandoned_is_forgotten(world: World) -> None:
    """And then there is nothing to commit."""
    await world.editing.edit_group(1, {"priority": 100})
    document = await world.editing.abandon()
    assert document["pending"]["diff"] == "" and document["groups"][0]["priority"] == 255
    with pytest.raises(Refused, match=NOTHING_PENDING):
        await world.editing.commit()
    assert world.file.read_text() == GOOD and world.taken == []


async def test_a_change_that_is_taken_back_is_none(world: World) -> None:
    """Nothing is pending any more."""
    await world.editing.edit_group(1, {"priority": 100})
    assert (await world.editing.edit_group(1, {"priority": 255}))["pending"]["by"] is None


@pytest.mark.parametrize(
    ("form", "errors"),
    [
        ({"id": "256"}, {"id": "256: must be a whole number from 1 to 255"}),
        ({"id": 1}, {"id": "1: used twice, first on line 5; each group needs its own"}),
        ({"hostname": "a b"}, {"hostname": "a b: must be a host name such as proxy.example.com"}),
        (
            {"description": "x" * 201},
            {"description": f"{'x' * 60}...: must be text on one line, 200 characters at most"},
        ),
        ({"virtual_ip": "10.0.0.4"}, {"virtual_ip": "10.0.0.4: must have a prefix; write 10.0.0.4/24"}),
        (
            {"virtual_ip": "10.0.0.4/24, 10.0.0.3/24"},
            {"virtual_ip": "10.0.0.3/24: used twice, first on line 7; a virtual IP stands in one place only"},
        ),
        (
            {"interface": "eth9"},
            {
                "interface": "eth9: there is no such interface on this host; there are eth0 (10.0.0.1/24,"
                " fd00:77::1/64), eth1 (192.168.7.1/24); did you mean eth1?"
            },
        ),
        ({"priority": 0}, {"priority": "0: must be a whole number from 1 to 255"}),
        (
            {"advertisement_interval": 0.5, "priority": 9},
            {
                "advertisement_interval": "0.5: does not fit priority 9: with an interval of 0.5 s the lowest usable"
                " priority is 129; with priority 9 the interval must be at most 0.031 or a whole number of seconds"
            },
        ),
        (
            {"shared_secret": "x" * 20, "shared_secret_again": "x" * 20},
            {
                "shared_secret": "has 20 bytes; CARP uses 19, and peers cut the rest silently; shorten it to 19 bytes"
                " on all nodes"
            },
        ),
        (
            {"shared_secret": "a", "shared_secret_again": "b"},
            {"shared_secret_again": "is not the same as the Shared Secret above; type both again"},
        ),
    ],
    ids=lambda value: next(iter(value)),
)
async def test_each_mistake_stands_beside_its_field(world: World, form: dict[str, Any], errors: dict[str, str]) -> None:
    """In the words of `wsa-proxy check`; nothing is pending of it."""
    assert await refused(world.editing.add_group({**SECOND, **form})) == errors
    assert (await world.editing.document())["pending"]["changes"] == []


async def test_a_mistake_is_told_where_it_was_made_and_not_where_it_is_found(world: World) -> None:
    """The check names the second of two groups, whichever was edited."""
    await world.editing.add_group(SECOND)
    assert list(await refused(world.editing.edit_group(1, {"id": 2}))) == ["id"]
    assert list(await refused(world.editing.edit_group(1, {"virtual_ip": "10.0.0.4/24"}))) == ["virtual_ip"]


async def test_what_is_wrong_elsewhere_in_the_file_is_told_of_the_whole(world: World) -> None:
    """Somebody has edited it by hand since the node read it."""
    world.write(GOOD + "drain_timeout: x\n")
    assert await refused(world.editing.edit_group(1, {"priority": 5})) == {
        "": "drain_timeout: x: must be a number of seconds from 0 to 3600"
    }


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda odd: st.lists(odd, max_size=3) | st.dictionaries(st.text(max_size=5), odd, max_size=2),
    max_leaves=4,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.dictionaries(st.sampled_from([*GROUP_FORM, "other"]), ODD), new=st.booleans())
async def test_whatever_is_sent_as_a_form_is_taken_or_told(world: World, form: dict[str, Any], new: bool) -> None:
    """No script brings the page to its knees; and what is taken stands in a file that the node would take."""
    submit = world.editing.add_group if new else partial(world.editing.edit_group, 1)
    await world.editing.abandon()
    with contextlib.suppress(FormError, Refused):
        document = await submit({**(SECOND if new else {}), **form})
        json.dumps(document)
        if document["pending"]["changes"]:
            world.report = None
            await world.editing.commit()
            world.check(world.file.read_text())
            world.write(GOOD)


async def test_global_settings(world: World) -> None:
    """Failover Handling."""
    errors = await refused(world.editing.edit_global({"failover_handling": "preemtive"}))
    assert errors == {"failover_handling": "preemtive: must be preemptive or non-preemptive; did you mean preemptive?"}
    document = await world.editing.edit_global({"failover_handling": "non-preemptive"})
    assert document["failover_handling"] == "non-preemptive"
    assert document["pending"]["effects"] == ["failover_handling: preemptive -> non-preemptive"]


async def test_warnings_come_with_what_is_pending(world: World) -> None:
    """In the group's words, without the place in a file that is not written."""
    document = await world.editing.edit_group(1, {"has_secret": False, "priority": 5})
    assert document["pending"]["warnings"][0] == "group 1: no shared_secret: anyone on the LAN can take the address"
    assert document["pending"]["warnings"][1].startswith("group 1, priority: 5: gives advskew 250")
    assert document["groups"][0]["has_secret"] is False
    assert await refused(world.editing.edit_group(1, {"has_secret": True})) == {
        "shared_secret": "missing; write one of 12 to 19 bytes, the same on all hosts"
    }


async def test_a_secret_in_a_file_of_its_own_stays_there(world: World) -> None:
    """Its key cannot be edited here; the rest of the group can."""
    (world.file.parent / "secret").write_text("from-a-file-1\n")
    (world.file.parent / "secret").chmod(0o600)
    world.write(changed("shared_secret: twelve-bytes!", "shared_secret_file: secret"))
    [group] = (await world.editing.document())["groups"]
    assert group["has_secret"] and group["secret_file"] == "secret"
    for form in ({"has_secret": False}, {"shared_secret": "x" * 12, "shared_secret_again": "x" * 12}):
        errors = await refused(world.editing.edit_group(1, form))
        assert errors == {"shared_secret": "is in the file secret; change it there"}
    assert (await world.editing.edit_group(1, {**group, "priority": 9}))["groups"][0]["priority"] == 9


async def test_the_last_group_stays(world: World) -> None:
    """A node needs one; of two each may go."""
    assert await refused(world.editing.delete_group(1)) == {
        "": "group 1 is the only one, and a node needs one; change it, or stop the node"
    }
    await world.editing.add_group(SECOND)
    document = await world.editing.delete_group(1)
    assert [group["id"] for group in document["groups"]] == [2]
    assert document["pending"]["changes"][0] == "Group 1 is deleted: it ends on this node"


async def test_a_group_that_is_not_there_cannot_be_edited(world: World) -> None:
    """Nor deleted."""
    for submit in (world.editing.edit_group(9, {}), world.editing.delete_group(9)):
        with pytest.raises(NoSuchGroup, match="there is no group 9"):
            await submit


async def test_what_somebody_else_wrote_meanwhile_is_not_lost(world: World) -> None:
    """The commit is refused; another submit takes both; abandoned, the file is as the other one left it."""
    await world.editing.edit_group(1, {"priority": 100})
    world.write(GOOD + "drain_timeout: 5  # by hand\n")
    assert (await world.editing.document())["pending"]["trouble"] == CHANGED_MEANWHILE
    with pytest.raises(Refused, match="changed by somebody else; abandon or submit again"):
        await world.editing.commit()
    assert world.file.read_text().endswith("# by hand\n") and world.taken == []
    document = await world.editing.edit_group(1, {"description": "both"})
    assert document["pending"]["trouble"] is None and "drain_timeout: 5" not in document["pending"]["changes"]
    await world.editing.commit()
    assert world.file.read_text() == (
        changed("255", "100").replace("id: 1\n", "id: 1\n    description: both\n") + "drain_timeout: 5  # by hand\n"
    )


async def test_changes_that_no_longer_fit_are_told(world: World) -> None:
    """Somebody has removed the group by hand."""
    await world.editing.edit_group(1, {"priority": 100})
    other = changed("id: 1", "id: 7")
    world.write(other)
    with pytest.raises(Refused, match=DO_NOT_FIT) as caught:
        await world.editing.add_group(SECOND)
    assert caught.value.errors == ["the file has no group 1"]
    assert (await world.editing.abandon())["groups"][0]["id"] == 7


async def test_a_form_that_was_filled_before_another_submit_is_refused(world: World) -> None:
    """When it says which state it shows; it would undo what it has not seen."""
    form = await world.editing.document()
    await world.editing.edit_group(1, {"priority": 100, "revision": form["revision"]})
    with pytest.raises(Refused, match=OTHER_REVISION):
        await world.editing.edit_group(1, {"description": "x", "revision": form["revision"]})
    assert (await world.editing.document())["groups"][0]["description"] == ""


@pytest.mark.parametrize("refusal", [["the port is taken"], ["one", "two"]])
async def test_what_the_node_refuses_is_taken_back(world: World, refusal: Sequence[str]) -> None:
    """The old file is there again, byte for byte; the changes are still pending, so that they can be mended."""
    world.write(GOOD.replace("\n", "\r\n"))
    before = world.file.read_bytes()
    await world.editing.edit_group(1, {"priority": 100})
    world.report = {"changes": [], "warnings": [], "errors": list(refusal), "refused": True}
    with pytest.raises(Refused, match="the node has refused the file; the old one is back") as caught:
        await world.editing.commit()
    assert caught.value.errors == list(refusal) and "priority: 100" in world.taken[0]
    assert world.file.read_bytes() == before
    assert (await world.editing.document())["pending"]["changes"] == ["Group 1: Priority 255 -> 100"]


async def test_what_was_written_after_the_commit_is_not_taken_back(world: World) -> None:
    """Whoever it was knows better."""
    await world.editing.edit_group(1, {"priority": 100})
    world.report = {"changes": [], "warnings": [], "errors": ["no"], "refused": True}
    real = world.reload

    async def meanwhile() -> dict[str, Any]:
        report = await real()
        world.write("groups: [] # by hand\n")
        return report

    world.editing._reload = meanwhile
    with pytest.raises(Refused, match="the old one cannot be put back: the file was changed by somebody else"):
        await world.editing.commit()
    assert world.file.read_text() == "groups: [] # by hand\n"


async def test_a_reload_of_which_nobody_knows_the_end_leaves_the_new_file(world: World) -> None:
    """The node is being stopped: it starts with it."""
    await world.editing.edit_group(1, {"priority": 100})
    world.report = {"changes": [], "warnings": [], "errors": ["the node is being stopped"], "refused": False}
    with pytest.raises(Refused, match="the file is written; whether the node has taken it is not known"):
        await world.editing.commit()
    assert "priority: 100" in world.file.read_text()
    assert (await world.editing.document())["pending"]["changes"] == []


async def test_what_has_become_wrong_since_the_submit_is_not_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address was removed from the interface."""
    await world.editing.edit_group(1, {"priority": 100})
    monkeypatch.setattr("tests.admin.test_editing.HOST", type(HOST)(()))
    with pytest.raises(Refused, match="the pending changes are wrong by now") as caught:
        await world.editing.commit()
    assert "no interface of this host is in its subnet" in caught.value.errors[0]
    assert world.file.read_text() == GOOD and world.taken == []


async def test_a_file_that_cannot_be_written_says_why_before_anybody_types(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And whoever submits all the same is refused with it."""
    monkeypatch.setattr(configuration_file, "why_not_writable", lambda file: f"{file.name} is immutable")
    document = await world.editing.document()
    assert (document["writable"], document["why_not"]) == (False, "node.yaml is immutable")
    with pytest.raises(Refused, match=r"node\.yaml is immutable"):
        await world.editing.add_group(SECOND)


async def test_a_file_that_cannot_be_read_says_so(world: World) -> None:
    """The page must not end with it."""
    for text, reason in (("groups: [", "not valid YAML"), ("- a\n", "must be keys with values")):
        world.write(text)
        document = await world.editing.document()
        assert document["groups"] == [] and not document["writable"] and reason in document["why_not"]
        with pytest.raises(Refused, match=reason):
            await world.editing.edit_group(1, {"priority": 5})
    world.file.unlink()
    assert "No such file" in (await world.editing.document())["why_not"]


async def test_who_hangs_up_does_not_leave_a_file_that_the_node_has_not_seen(world: World) -> None:
    """The commit goes on to its end."""
    await world.editing.edit_group(1, {"priority": 100})
    begun, real = asyncio.Event(), world.reload

    async def reload() -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(0.01)
        return await real()

    world.editing._reload = reload
    asking = asyncio.create_task(world.editing.commit())  # noqa: TID251 - cancelled below
    await begun.wait()
    asking.cancel()
    assert (await world.editing.document())["pending"]["changes"] == []
    assert "priority: 100" in world.taken[0]


async def test_submits_at_the_same_time_are_all_pending(world: World) -> None:
    """One after the other."""
    forms = ({"priority": 100}, {"description": "x"}, {"hostname": "c.example.com"})
    await asyncio.gather(*(world.editing.edit_group(1, form) for form in forms))
    assert len((await world.editing.document())["pending"]["changes"]) == 3


async def test_pending_changes_have_a_bound(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that never commits must not fill the memory."""
    monkeypatch.setattr(editing_module, "SUBMITS_MAX", 2)
    for priority in (1, 2):
        await world.editing.edit_group(1, {"priority": priority})
    with pytest.raises(Refused, match="2 changes are pending; commit or abandon them first"):
        await world.editing.edit_group(1, {"priority": 3})


async def test_interfaces_that_cannot_be_read_are_none(world: World) -> None:
    """The rest of the document is there."""

    def refuse() -> Any:
        raise OSError("no netlink")

    world.editing._interfaces = refuse
    assert (await world.editing.document())["interfaces"] == []
