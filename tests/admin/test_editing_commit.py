"""What is committed, what is not, and who else has written the file meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.admin.node import SECOND
from tests.admin.node import World
from tests.config.example import GOOD
from tests.config.example import changed
from wsa_proxy.admin import configuration_file
from wsa_proxy.admin import editing as editing_module
from wsa_proxy.admin.configuration_file import CHANGED_MEANWHILE
from wsa_proxy.admin.editing import DO_NOT_FIT
from wsa_proxy.admin.editing import OTHER_PENDING
from wsa_proxy.admin.editing import OTHER_REVISION
from wsa_proxy.admin.editing import Refused
from wsa_proxy.net.host import HostFacts


@pytest.fixture
async def world(tmp_path: Path) -> World:
    return World(tmp_path)


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


async def test_nobody_decides_on_what_he_has_not_seen(world: World) -> None:
    """Delete, commit and abandon, by somebody who still looks at what was there before another one's submit."""
    seen = (await world.editing.document())["revision"]
    await world.editing.add_group(SECOND)
    await world.editing.edit_group(1, {"priority": 100})
    with pytest.raises(Refused, match=OTHER_REVISION):
        await world.editing.delete_group(1, seen)
    for decide in (world.editing.commit, world.editing.abandon):
        with pytest.raises(Refused, match=OTHER_PENDING):
            await decide(seen)
    document = await world.editing.document()
    assert len(document["pending"]["changes"]) == 2 and world.file.read_text() == GOOD
    document = await world.editing.delete_group(1, document["revision"])
    await world.editing.commit(document["revision"])
    assert "priority: 255" not in world.file.read_text()


async def test_after_somebody_has_written_the_file_the_forms_show_it(world: World) -> None:
    """With the pending changes, so that what is submitted again undoes nothing; if they do not fit it, it is told."""
    await world.editing.edit_group(1, {"priority": 100})
    world.write(changed("hostname: proxy.example.com", "hostname: other.example.com"))
    document = await world.editing.document()
    assert document["pending"]["trouble"] == CHANGED_MEANWHILE
    (group,) = document["groups"]
    assert (group["hostname"], group["priority"]) == ("other.example.com", 100)
    document = await world.editing.edit_group(1, {**group, "revision": document["revision"]})
    assert document["pending"]["trouble"] is None and "-    hostname" not in document["pending"]["diff"]
    world.write(changed("id: 1", "id: 7"))
    document = await world.editing.document()
    assert document["pending"]["trouble"] == DO_NOT_FIT and document["groups"][0]["id"] == 1
    assert (await world.editing.abandon(document["revision"]))["groups"][0]["id"] == 7


@pytest.mark.parametrize("refusal", [["the port is taken"], ["one", "two"]])
async def test_what_the_node_refuses_is_taken_back(
    world: World, refusal: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The old file is there again, byte for byte; the changes are still pending, so that they can be mended."""
    world.write(GOOD.replace("\n", "\r\n"))
    before = world.file.read_bytes()
    await world.editing.edit_group(1, {"priority": 100})
    world.report = {"changes": [], "warnings": [], "errors": list(refusal), "refused": True}
    with pytest.raises(Refused, match="the node has refused the file; the old one is back") as caught:
        await world.editing.commit()
    assert not [each for each in caplog.records if each.name.startswith("wsa_proxy")]  # the reload has said it
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


async def test_what_has_become_wrong_since_the_submit_is_not_written(world: World) -> None:
    """An address was removed from the interface."""
    await world.editing.edit_group(1, {"priority": 100})
    world.host = HostFacts(())
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
