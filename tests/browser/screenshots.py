"""``make screenshots``: the page as it looks, light and dark, wide and narrow, under docs/images. Needs pngquant."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser import documents
from tests.browser.chromium import chromium
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
PACKAGES = {"chromium": "chromium", "chromedriver": "chromium-driver", "pngquant": "pngquant"}
"""Of Debian, by the command that each is needed for. No test needs the last one."""
WIDE = (1280, 900)
NARROW = (390, 844)


def healthy(node: FakeNode) -> None:
    node.history = documents.history(datetime.now(UTC))


def backup(node: FakeNode) -> None:
    node.history = documents.history_of_backup(datetime.now(UTC))
    node.status = documents.status(documents.group("backup"), node="b")
    node.configuration = documents.configuration(documents.form(priority=200))


def lost(node: FakeNode) -> None:
    healthy(node)
    node.status = documents.lost(node.status)


def pending(node: FakeNode) -> None:
    healthy(node)
    second = documents.form(2, description="Proxy of the guests", hostname="guests.example.com", priority=200)
    second["virtual_ip"] = ["10.0.0.4/24"]
    changes = ["Add failover group 2: guests.example.com, 10.0.0.4/24, priority 200."]
    node.configuration = documents.configuration(documents.form(), second, changes=changes, diff=documents.DIFF)


def empty(node: FakeNode) -> None:
    node.status = documents.status()
    node.configuration = documents.configuration()


def refused(node: FakeNode) -> None:
    healthy(node)
    errors = {"virtual_ip": "10.0.0.3: lacks a prefix; write 10.0.0.3/24", "shared_secret_again": "not the same"}
    node.answers["POST /api/configuration/groups"] = (422, {"errors": errors})


def fill_form(browser: Chrome) -> None:
    browser.find_element(By.CSS_SELECTOR, "[data-action=add]").click()
    typed = {
        "id": "2",
        "description": "Proxy of the guests",
        "hostname": "guests.example.com",
        "virtual_ip": "10.0.0.3",
    }
    for name, text in typed.items():
        browser.find_element(By.ID, f"field-{name}").send_keys(text)
    browser.find_element(By.CSS_SELECTOR, "dialog [type=submit]").click()
    page = Page(browser, browser.current_url)
    page.until(lambda: page.has("[aria-invalid=true]"))


def nothing(browser: Chrome) -> None:
    """The page is shown as it is."""


type Shot = tuple[str, Callable[[FakeNode], None], Callable[[Chrome], None], tuple[int, int], str]
SHOTS: list[Shot] = [
    ("page-master", healthy, nothing, WIDE, "light"),
    ("page-master-dark", healthy, nothing, WIDE, "dark"),
    ("page-master-phone", healthy, nothing, NARROW, "light"),
    ("page-backup", backup, nothing, WIDE, "light"),
    ("page-lost", lost, nothing, WIDE, "light"),
    ("page-lost-phone-dark", lost, nothing, NARROW, "dark"),
    ("page-form-error", refused, fill_form, WIDE, "light"),
    ("page-pending", pending, nothing, WIDE, "light"),
    ("page-empty", empty, nothing, WIDE, "light"),
]


def take(browser: Chrome, name: str, size: tuple[int, int], scheme: str, work: Callable[[Chrome], None]) -> None:
    """The whole page, but for a dialog, which is as high as the window."""
    width, height = size
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    work(browser)
    whole = {"captureBeyondViewport": work is nothing, "format": "png"}
    if work is nothing:
        high = browser.execute_script("return document.documentElement.scrollHeight")
        whole["clip"] = {"x": 0, "y": 0, "width": width, "height": high, "scale": 1}
    image = browser.execute_cdp_cmd("Page.captureScreenshot", whole)
    FOLDER.mkdir(exist_ok=True)
    # 256 colours: a third of the size, and no difference that is seen.
    quantised = subprocess.run(
        ["pngquant", "-"], input=base64.b64decode(image["data"]), stdout=subprocess.PIPE, check=True
    )
    (FOLDER / f"{name}.png").write_bytes(quantised.stdout)
    print(f"docs/images/{name}.png  {len(quantised.stdout) // 1000} kB")


def main(names: list[str]) -> None:
    """All, or those that are named."""
    missing = [package for command, package in PACKAGES.items() if shutil.which(command) is None]
    if missing:
        sys.exit(f"screenshots: apt-get install {' '.join(missing)}")
    os.environ["TZ"] = "UTC"
    with chromium() as browser:
        for name, state, work, size, scheme in SHOTS:
            if names and name not in names:
                continue
            with FakeNode() as node:
                state(node)
                Page(browser, node.url).open()
                take(browser, name, size, scheme, work)


if __name__ == "__main__":
    main(sys.argv[1:])
