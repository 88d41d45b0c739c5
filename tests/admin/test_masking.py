"""No secret is in a diff: neither the one in force, nor the new one, nor one that a comment still holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import settings

from tests.admin.test_pending import FILE
from tests.admin.texts import SECRET
from tests.admin.texts import Written
from tests.admin.texts import configurations
from wsa_proxy.admin.masking import masked
from wsa_proxy.admin.masking import masked_diff
from wsa_proxy.admin.pending import EditGroup
from wsa_proxy.admin.pending import apply

BEFORE = """\
groups:
  - id: 1
    description: the old one was first-secret-1
    # shared_secret: "an-older-one"
    shared_secret: first-secret-1  # was behind-one
    # Shared Secret = said-in-words
    # shared_secret:
    #   - one-of-a-list
    #   - another-of-a-list
    # the group of the office
    # - a remark that is shown
    priority: 5  # shared_secret: see the safe
  - {id: 2, shared_secret: ["second-secret", 'third-secret']}
  - id: 3
    shared_secret: >-
      folded-secret
    description: &s by-anchor-1
  - {id: 4, shared_secret: *s}
  - {id: 5, shared_secret: {text: no-text-at-all}}
"""
SECRETS = (
    "first-secret",
    "an-older-one",
    "second-secret",
    "third-secret",
    "folded-secret",
    "by-anchor-1",
    "see the safe",
    "no-text-at-all",
    "behind-one",
    "said-in-words",
    "one-of-a-list",
    "another-of-a-list",
)


def test_a_changed_secret_shows_as_changed() -> None:
    """On the new side; the old one and those that stay are hidden alike."""
    diff = masked_diff(
        BEFORE, BEFORE.replace("    shared_secret: first-secret-1", "    shared_secret: new-secret"), "f"
    )
    changed = [line for line in diff.splitlines()[2:] if line[0] in "+-"]
    assert changed == [
        "-    shared_secret: ********  # ********",
        "+    shared_secret: ******** (changed)  # ********",
    ]
    assert diff.startswith("--- f (in force)\n+++ f (pending)\n@@ ")
    assert "new-secret" not in diff and not any(secret in diff for secret in SECRETS)


def test_every_way_to_write_a_secret_is_hidden() -> None:
    """In a list, folded, by an anchor, in a comment of former times."""
    text = masked(BEFORE, set())
    assert not any(secret in text for secret in SECRETS)
    assert "{id: 2, shared_secret: [******** (changed), ******** (changed)]}" in text
    assert "description: the old one was ********" in text and "# shared_secret: ********\n" in text
    assert "priority: 5  # shared_secret: ********" in text
    assert "    # the group of the office\n    # - a remark that is shown\n" in text


def test_a_short_secret_is_hidden_where_it_is_one() -> None:
    """Elsewhere the word is nothing but a word."""
    assert masked("shared_secret: id\nid: 1\n", {"id"}) == "shared_secret: ********\nid: 1\n"


@settings(max_examples=30)
@given(configurations())
def test_only_what_differs_is_shown(written: Written) -> None:
    """As `diff` does, a missing line end at the end included; nothing when nothing differs."""
    assert masked_diff(written.text, written.text, "f") == ""
    diff = masked_diff(written.text, apply(written.text, EditGroup(1, {"shared_secret": "x" * 19}), FILE), "f")
    assert SECRET not in diff and "x" * 19 not in diff and "(changed)" in diff
    if not written.text.endswith("\n") and len(written.groups) == 1:
        assert "\\ No newline at end of file\n" in diff
