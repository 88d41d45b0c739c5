"""Each shell block of README.md and docs/ is run, page by page, on hosts of its own; see blocks.py and playing.py."""

from __future__ import annotations

import pytest

from tests.docs import playing
from tests.docs.blocks import PAGES
from tests.docs.blocks import ROOT
from tests.docs.blocks import blocks_of
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside

PREPARED = {
    "README.md": "pair:ab",
    "docs/browsers.md": "pair:ab",
    "docs/certificate-authority.md": "pair:ab",
    "docs/migrating.md": "installed",
    "docs/two-hosts.md": "",
    "docs/virtual-machines.md": "pair:ab",
    "docs/warnings.md": "pair:ab",
    "docs/without-multicast.md": "pair:ab",
}
"""What a page finds: nothing at all, ``installed``, or ``pair:ab``, nodes that run on a and b."""
PAGE_S_MAX = 110.0


def test_each_page_with_commands_is_played() -> None:
    """A page with a block that is to be run has its line in PREPARED, and no other page has one."""
    names = {page.relative_to(ROOT).as_posix() for page in PAGES if any(each.is_run for each in blocks_of(page))}
    assert names == PREPARED.keys()


@needs_namespaces
@pytest.mark.parametrize("page", PREPARED)
def test_page(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its commands end as the page says, and show what it shows."""
    monkeypatch.setenv(playing.PAGE, page)
    monkeypatch.setenv(playing.PREPARED, PREPARED[page])
    wrong = run_inside(playing.play, PAGE_S_MAX)
    assert not wrong, "\n".join(wrong)
