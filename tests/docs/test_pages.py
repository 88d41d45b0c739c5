"""Each shell block of README.md and docs/ is run, page by page, on hosts of its own; see blocks.py and playing.py."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docs import playing
from tests.docs.blocks import PAGES
from tests.docs.blocks import ROOT
from tests.docs.blocks import blocks_of
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside

PLAYED = (*playing.PAGES_OF_A_PAIR, *playing.PAGES_OF_TWO_HOSTS, *playing.PAGES_OF_AN_INSTALLATION)
PROGRAMS = ("curl", "keepalived", "nft", "nsenter", "openssl", "pidof", "ucarp")
"""What the pages call, beside what is on every host."""
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
SESSION_S_MAX = 400.0
"""A machine that has other tests to run as well is slow; alone it takes a tenth of this."""


@pytest.fixture(scope="module")
def wrong() -> dict[str, list[str]]:
    """What is wrong, by page. Three networks live at the same time: they mostly wait."""
    sessions = (playing.pair, playing.two_hosts, playing.installation)
    with ThreadPoolExecutor(len(sessions)) as pool:
        answers = [pool.submit(run_inside, session, SESSION_S_MAX) for session in sessions]
        return {page: lines for answer in answers for page, lines in answer.result().items()}


def test_each_page_with_commands_is_played() -> None:
    """Once, and no page without."""
    names = [page.relative_to(ROOT).as_posix() for page in PAGES if any(each.is_run for each in blocks_of(page))]
    assert sorted(names) == sorted(PLAYED)


@needs_namespaces
@pytest.mark.skipif(bool(MISSING), reason=f"missing: {', '.join(MISSING)}; tools/packages.sh names the packages")
@pytest.mark.timeout(SESSION_S_MAX + 20)  # the first page waits for all
@pytest.mark.parametrize("page", PLAYED)
def test_page(page: str, wrong: dict[str, list[str]]) -> None:
    """All its commands end as the page says, and show what it shows."""
    assert not wrong[page], "\n".join(wrong[page])
