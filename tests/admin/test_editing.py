"""Submit, commit, abandon: nothing is written before the commit, and what the node does not take is not left behind."""

from __future__ import annotations

import contextlib
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests.admin.node import SECOND
from tests.admin.node import World
from tests.config.example import GOOD
from tests.config.example import changed
from wsa_proxy.admin.editing import NOTHING_PENDING
from wsa_proxy.admin.editing import NoSuchGroup
from wsa_proxy.admin.editing import Refused
from wsa_proxy.admin.form import GROUP_FORM
from wsa_proxy.admin.form import FormError


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
    world.who = "operator (page, 10.0.0.9)"
    document = await world.editing.edit_group(1, {"priority": 100})
    assert document == await world.editing.document() and world.file.read_text() == GOOD
    pending = document["pending"]
    assert pending["changes"] == [
        "Group 1: Priority 255 -> 100",
        "Group 2 is added: 10.0.0.4/24, Priority 200",
    ]
    assert pending["effects"] == ["group 1: priority 255 -> 100", "group 2 begins: 10.0.0.4/24 on eth0"]
    assert pending["by"] == "operator (page, 127.0.0.1)" and pending["since"].endswith("+00:00")
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


async def test_what_clients_feel_is_told_before(world: World) -> None:
    """A group that starts anew closes their connections; a description does not."""
    document = await world.editing.edit_group(1, {"virtual_ip": "10.0.0.4/24"})
    assert document["pending"]["changes"] == [
        "Group 1: Virtual IP Address and Netmask 10.0.0.3/24 -> 10.0.0.4/24",
        "Group 1 starts anew on this node: its connections end",
    ]
    await world.editing.abandon()
    document = await world.editing.edit_group(1, {"description": "x"})
    assert document["pending"]["changes"] == ['Group 1: Description "" -> "x"']


async def test_what_the_file_leaves_out_is_shown_as_what_it_means(world: World) -> None:
    """Also Failover Handling."""
    world.write(changed("failover_handling: preemptive\n", ""))
    assert (await world.editing.document())["failover_handling"] == "preemptive"


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
