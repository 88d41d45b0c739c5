"""An operator with a browser on a node's own host: ``python -m tests.browser.operator URL``; the log tells the URL.

Prints a JSON line after each step, with what the page showed then; what has to happen elsewhere meanwhile is up to
whoever reads them.
"""

from __future__ import annotations

import json
import sys

from tests.browser.chromium import chromium
from tests.browser.chromium import complaints
from tests.browser.chromium import hosts
from tests.browser.looking import Page

STEP_S_MAX = 30.0
ROLE = ".panel:first-child .role"


class Operator:
    """Of a node whose page is open."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def tell(self, step: str) -> None:
        page = self._page
        seen = {
            "role": page.text(ROLE),
            "title": page.browser.title,
            "redundancy": page.text(".panel:nth-child(3) .big"),
        }
        print(json.dumps({"step": step, **seen}), flush=True)

    def wait_role(self, role: str) -> None:
        self._page.until(lambda: self._page.text(ROLE) == role, STEP_S_MAX)

    def arrive(self) -> None:
        page = self._page
        page.open()
        page.run("window.isTheSamePage = true")
        self.wait_role("MASTER")
        page.until(lambda: page.text(".panel:nth-child(3) .big").endswith("2 of 2 healthy"), STEP_S_MAX)
        page.until(lambda: page.text(".panel:nth-child(2) .big").startswith("answers"), STEP_S_MAX)
        self.tell("arrived")

    def switch(self) -> None:
        self._page.press("[data-action=switch]")
        self._page.press("dialog [type=submit]")
        self.wait_role("BACKUP")
        self._page.until_text("node b is master", "#messages")
        self.tell("switched")

    def watch_a_failover(self) -> None:
        self.wait_role("MASTER")
        self._page.until(lambda: self._page.text(".panel:nth-child(3) .big") == "LOST", STEP_S_MAX)
        self.tell("failed over")

    def add_a_group(self) -> None:
        page = self._page
        page.press("[data-action=add]")
        typed = {"id": "2", "hostname": "guests.example.com", "virtual_ip": "10.0.0.4"}
        for name, text in {
            **typed,
            "shared_secret": "of the guests 1",
            "shared_secret_again": "of the guests 2",
        }.items():
            page.type(name, text)
        page.press("dialog [type=submit]")
        page.until(lambda: page.has("#field-shared_secret_again[aria-invalid=true]"))
        page.type("shared_secret_again", "of the guests 1")
        page.press("dialog [type=submit]")
        page.until(lambda: page.has("#field-virtual_ip[aria-invalid=true]"))
        page.type("virtual_ip", "10.0.0.4/24")
        page.press("dialog [type=submit]")
        page.until_text("+", ".pending-bar .diff")
        assert "of the guests 1" not in page.shown()
        self.tell("submitted")
        page.press("[data-action=commit]")
        page.press("dialog [type=submit]")
        page.until(lambda: page.text(".groups tr[data-key=group-2] .role") == "MASTER", STEP_S_MAX)
        self.tell("committed")

    def look_back(self) -> None:
        page = self._page
        page.until(lambda: len(page.texts(".history tbody tr")) >= 3)
        print(json.dumps({"step": "looked back", "causes": page.texts(".history td:nth-child(4)")}), flush=True)


def main(url: str) -> None:
    with chromium() as browser:
        page = Page(browser, url)
        operator = Operator(page)
        operator.arrive()
        operator.switch()
        operator.watch_a_failover()
        operator.add_a_group()
        operator.look_back()
        same = page.run("return window.isTheSamePage === true")
        ended = {"is_the_same_page": same, "console": complaints(browser), "hosts": sorted(hosts(browser))}
        print(json.dumps({"step": "ended", **ended}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
