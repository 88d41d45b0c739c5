"""What is submitted changes its own lines of the file and no other; what is told of it is what is left in the end."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from tests.admin.texts import SECRET
from tests.admin.texts import Written
from tests.admin.texts import configurations
from wsa_proxy.admin.masking import masked_diff
from wsa_proxy.admin.pending import AddGroup
from wsa_proxy.admin.pending import CannotApply
from wsa_proxy.admin.pending import DeleteGroup
from wsa_proxy.admin.pending import EditGlobal
from wsa_proxy.admin.pending import EditGroup
from wsa_proxy.admin.pending import Operation
from wsa_proxy.admin.pending import apply
from wsa_proxy.admin.pending import sentences
from wsa_proxy.config.source import ConfigError
from wsa_proxy.config.source import read_document

FILE = Path("node.yaml")
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = [ROOT / "configs" / name for name in ("node-a.yaml", "node-b.yaml")]
NEW: dict[str, Any] = {
    "id": 77,
    "description": "Second: of two",
    "hostname": "second.example.com",
    "virtual_ip": ["10.9.0.3/24", "fd00:9::3/64"],
    "interface": "auto",
    "priority": 100,
    "shared_secret": "another-secret!",
    "advertisement_interval": 0.5,
}
OTHER_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.just(99),
    "description": st.text(max_size=30),
    "hostname": st.sampled_from(["other.example.com", "x"]),
    "virtual_ip": st.sampled_from([["10.9.0.4/24"], ["fd00:9::4/64"]]),
    "interface": st.sampled_from(["eth7", "auto"]),
    "priority": st.integers(1, 255),
    "shared_secret": st.text(min_size=1, max_size=19),
    "advertisement_interval": st.sampled_from([2, 0.25]),
}
SAID_OTHERWISE = st.sampled_from(sorted(OTHER_VALUES)).flatmap(lambda key: st.tuples(st.just(key), OTHER_VALUES[key]))


def read(text: str) -> Any:
    """What another reader of YAML makes of it."""
    return YAML(typ="safe", pure=True).load(text)


def lines_of(text: str) -> list[str]:
    return text.split("\n")


@settings(max_examples=40)
@given(configurations(), SAID_OTHERWISE, st.data())
def test_an_edited_value_changes_the_lines_where_it_stands_and_no_other(
    written: Written, said: tuple[str, Any], data: st.DataObject
) -> None:
    """Or adds one line, where the file had left it out."""
    key, value = said
    group = data.draw(st.sampled_from(written.groups))
    after = apply(written.text, EditGroup(group["id"], {key: value}), FILE)
    old, new = lines_of(written.text), lines_of(after)
    expected = read(written.text)
    wanted = next(each for each in expected["groups"] if each["id"] == group["id"])
    if key in group or wanted.get(key, value) != value or after != written.text:
        wanted[key] = value
    assert normal(read(after)) == normal(expected)
    if len(new) == len(old):
        changed = [n for n, (before, line) in enumerate(zip(old, new, strict=True)) if before != line]
        assert len(changed) <= 1
        assert all(key in old[n] or key == "virtual_ip" or is_inside(old[n], new[n]) for n in changed)
    elif key in group:  # of two addresses, each on its line, one is left
        assert key == "virtual_ip" and len(new) == len(old) - 1
    else:
        assert key not in group and len(new) == len(old) + 1
        at = next(n for n, line in enumerate(new) if n >= len(old) or line.rstrip("\r") != old[n].rstrip("\r"))
        assert [line.rstrip("\r") for line in new[:at] + new[at + 1 :]] == [line.rstrip("\r") for line in old]


def is_inside(old: str, new: str) -> bool:
    """Whether something was added in the middle of the line, between brackets, and nothing else."""
    return any(new.startswith(old[:n]) and new.endswith(old[n:]) for n in range(len(old) + 1))


def normal(document: Any) -> Any:
    """One address may stand as a list of one."""
    for group in document["groups"]:
        for key in ("virtual_ip", "shared_secret"):
            if key in group and not isinstance(group[key], list):
                group[key] = [group[key]]
    return document


@settings(max_examples=40)
@given(configurations())
def test_a_group_that_is_added_and_deleted_again_leaves_the_file_as_it_was(written: Written) -> None:
    """Its lines stand together, behind all that belongs to the last group."""
    after = apply(written.text, AddGroup(NEW), FILE)
    expected = read(written.text)
    assert normal(read(after)) == normal({**expected, "groups": [*expected["groups"], dict(NEW)]})
    at = next(n for n, (old, new) in enumerate(zip(written.text + "\0", after, strict=False)) if old != new)
    added = len(after) - len(written.text)
    assert any(after[:start] + after[start + added :] == written.text for start in range(max(0, at - added), at + 1))
    again = apply(after, DeleteGroup(77), FILE)
    assert [line for line in again.split() if line] == [line for line in written.text.split() if line]
    assert again.rstrip("\r\n") == written.text.rstrip("\r\n") or "\n\n" in again.replace("\r", "")


@settings(max_examples=40)
@given(configurations(), st.data())
def test_a_group_that_is_deleted_takes_nothing_with_it(written: Written, data: st.DataObject) -> None:
    """What is left says the same, in lines of the old file, in their order."""
    gone = data.draw(st.sampled_from(written.groups))
    if len(written.groups) == 1:
        with pytest.raises(CannotApply, match="group 1 is the only one, and a node needs one"):
            apply(written.text, DeleteGroup(1), FILE)
        return
    after = apply(written.text, DeleteGroup(gone["id"]), FILE)
    expected = read(written.text)
    expected["groups"] = [group for group in expected["groups"] if group["id"] != gone["id"]]
    assert read(after) == expected
    lines = iter(lines_of(written.text))
    assert all(line in lines for line in lines_of(after.removesuffix("\n")))


@settings(max_examples=40)
@given(configurations(), st.data())
def test_a_secret_that_is_removed_takes_what_needs_it_with_it(written: Written, data: st.DataObject) -> None:
    """``security: sealed`` without a secret would be an error."""
    group = data.draw(st.sampled_from(written.groups))
    after = apply(written.text, EditGroup(group["id"], {}, secret_off=True), FILE)
    expected = read(written.text)
    for each in expected["groups"]:
        if each["id"] == group["id"]:
            each.pop("shared_secret", None)
    assert read(after) == expected
    if "shared_secret" not in group:
        assert after == written.text


@settings(max_examples=30)
@given(configurations(), st.data())
def test_whatever_a_file_looks_like_a_change_is_made_or_told(written: Written, data: st.DataObject) -> None:
    """Somebody has made a slip in it; what comes of it is never another error, and never another change than meant."""
    at = data.draw(st.integers(0, len(written.text)))
    slip = data.draw(
        st.sampled_from(["", " ", "\n", "\t", "- ", ": ", "#", "&a ", "*a", "'", "[", "}", "!!x ", "? ", "|"])
    )
    text = written.text[:at] + slip + written.text[at + data.draw(st.integers(0, 3)) :]
    key = data.draw(st.sampled_from(sorted(OTHER_VALUES)))
    edit = EditGroup(1, {key: data.draw(OTHER_VALUES[key])})
    off, handling = EditGroup(1, {}, secret_off=True), EditGlobal({"failover_handling": "non-preemptive"})
    for operation in (edit, off, AddGroup(NEW), DeleteGroup(1), handling):
        with contextlib.suppress(CannotApply, ConfigError):
            masked_diff(text, apply(text, operation, FILE), "f")


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
@pytest.mark.parametrize(
    ("operation", "removed", "added"),
    [
        (EditGroup(1, {"priority": 100}), 1, 1),
        (EditGroup(1, {"virtual_ip": ["10.0.0.3/24", "fd00:77::3/64"]}), 1, 1),
        (EditGroup(1, {"id": 2, "hostname": "a.b", "interface": "eth0", "shared_secret": 'a "b" \\ c'}), 4, 4),
        (EditGroup(1, {}, secret_off=True), 2, 0),
        (EditGlobal({"failover_handling": "non-preemptive"}), 1, 1),
        (AddGroup(NEW), 0, 8),
    ],
    ids=["priority", "virtual_ip", "four", "secret off", "global", "add"],
)
def test_the_files_that_users_start_from_keep_every_other_line(
    file: Path, operation: Operation, removed: int, added: int
) -> None:
    """Each line of them has a comment, which stays."""
    before = file.read_text()
    after = apply(before, operation, file)
    old, new = before.splitlines(), after.splitlines()
    assert (len([line for line in old if line not in new]), len([line for line in new if line not in old])) == (
        removed,
        added,
    )
    kept = [line.partition("#")[2] for line in old if line in new or removed == added]
    comments = [line.partition("#")[2] for line in new]
    assert all(comment in comments for comment in kept)
    assert comments.count("") - [line.partition("#")[2] for line in old].count("") == added - removed or removed > added


@pytest.mark.parametrize(
    "text",
    [
        "groups: [{id: 1, priority: &p 5}, {id: 2, priority: *p}]\n",
        "groups: &all\n  - id: 1\n    priority: 5\n    <<: {hostname: x}\n  - id: 2\nother: *all\n",
        "groups:\n  - id: 1\n    priority: {a: 5}\n",
        "groups:\n  - id: 1\n    ? priority\n    : [5, 6]\n",
    ],
    ids=["anchor", "whole list", "mapping", "list"],
)
def test_what_stands_for_several_things_is_not_changed_for_one_of_them(text: str) -> None:
    """It is left to a person."""
    with pytest.raises(CannotApply, match="change the file by hand"):
        apply(text, EditGroup(1, {"priority": 7}), FILE)


def test_the_whole_files_keys_change_also_where_the_groups_are_wrong() -> None:
    """Or where the file says the same already, in other words: then it stays."""
    operation = EditGlobal({"failover_handling": "non-preemptive"})
    assert apply("groups: 5 # none\n", operation, FILE) == "groups: 5 # none\nfailover_handling: non-preemptive\n"
    for text in ("failover_handling: 'non-preemptive'\n", "failover_handling: preemptive\n"):
        assert apply(text, operation, FILE) == text.replace(" preemptive", " non-preemptive")


def test_a_value_that_refers_to_another_one_becomes_one_of_its_own() -> None:
    """The other one stays."""
    text = "groups: [{id: 1, priority: &p 5}, {id: 2, priority: *p}]\n"
    assert apply(text, EditGroup(2, {"priority": 7}), FILE) == text.replace("*p", "7")


@pytest.mark.parametrize("operation", [EditGroup(9, {"priority": 1}), DeleteGroup(9)])
def test_a_group_that_is_not_there_is_told(operation: Operation) -> None:
    """Somebody may have removed it by hand."""
    with pytest.raises(CannotApply, match="the file has no group 9"):
        apply("groups: [{id: 1}, {id: 2}]\n", operation, FILE)


BASE = f"""\
groups:
  - {{id: 1, hostname: a, virtual_ip: 10.0.0.3/24, priority: 255, shared_secret: {SECRET}}}
  - {{id: 2, hostname: b, virtual_ip: 10.0.0.4/24, priority: 255, shared_secret: [{SECRET}, other-secret]}}
"""


@pytest.mark.parametrize(
    ("operations", "told"),
    [
        ([EditGroup(1, {"priority": 200})], ["Group 1: Priority 255 -> 200"]),
        ([EditGroup(1, {"priority": 200}), EditGroup(1, {"priority": 255})], []),
        ([EditGroup(1, {"description": "x"})], ['Group 1: Description "" -> "x"']),
        (
            [EditGroup(1, {"virtual_ip": ["10.0.0.3/24", "fd00::3/64"]})],
            ["Group 1: Virtual IP Address and Netmask 10.0.0.3/24 -> 10.0.0.3/24, fd00::3/64"],
        ),
        ([EditGlobal({"failover_handling": "non-preemptive"})], ["Failover Handling: preemptive -> non-preemptive"]),
        ([AddGroup(NEW)], ["Group 77 is added: 10.9.0.3/24, fd00:9::3/64, Priority 100"]),
        ([AddGroup(NEW), DeleteGroup(77)], []),
        ([AddGroup(NEW), EditGroup(77, {"id": 78})], ["Group 78 is added: 10.9.0.3/24, fd00:9::3/64, Priority 100"]),
        ([DeleteGroup(2)], ["Group 2 is deleted: it ends on this node"]),
        (
            [EditGroup(1, {"id": 3}), EditGroup(3, {"id": 4, "priority": 9})],
            [
                "Group 1 becomes group 4: on this node group 1 ends and group 4 begins; change the other nodes as well",
                "Group 1: Priority 255 -> 9",
            ],
        ),
        (
            [EditGroup(1, {}, secret_off=True)],
            ["Group 1: the Shared Secret is removed; the same on all nodes, or they do not believe each other"],
        ),
        (
            [EditGroup(2, {"shared_secret": "a-third-secret"})],
            [
                "Group 2: the Shared Secret is changed; one instead of 2; the same on all nodes, or they do not believe"
                " each other"
            ],
        ),
        (
            [EditGroup(1, {}, secret_off=True), EditGroup(1, {"shared_secret": SECRET})],
            [],
        ),
    ],
)
def test_what_is_left_of_the_changes_is_told_in_the_words_of_the_form(
    operations: list[Operation], told: list[str]
) -> None:
    """And no secret."""
    text = BASE
    for operation in operations:
        text = apply(text, operation, FILE)
    before, after = (read_document(FILE, each).data for each in (BASE, text))
    assert sentences(before, after, operations) == told


def test_a_secret_is_in_no_representation_of_a_change() -> None:
    """A traceback may show one."""
    for operation in (AddGroup(NEW), EditGroup(1, NEW)):
        assert NEW["shared_secret"] not in repr(operation)
