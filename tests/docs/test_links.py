"""Pages lead to pages, files and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import FENCE
from tests.docs.blocks import PAGES
from tests.docs.blocks import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def wrong_links(page: Path) -> list[str]:
    wrong = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Every link within the repository has its file and its heading."""
    assert not wrong_links(page)


def test_a_wrong_link_is_found(tmp_path: Path) -> None:
    """A file and a heading that do not exist; one that does."""
    page = tmp_path / "page.md"
    page.write_text("# A page: its title\n[a](#a-page-its-title) [b](#b) [c](c.md) [d](page.md#a-page-its-title)\n")
    assert wrong_links(page) == ["#b", "c.md"]


def test_every_page_is_listed() -> None:
    """docs/README.md leads to each page of docs/ that an operator or a contributor may look for."""
    listed = {
        (ROOT / "docs" / link.partition("#")[0]).resolve()
        for link in LINK.findall((ROOT / "docs/README.md").read_text())
    }
    pages = {page for page in PAGES if page.parent == ROOT / "docs" and page.name != "README.md"}
    assert pages <= listed
