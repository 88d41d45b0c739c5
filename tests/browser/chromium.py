"""Debian's Chromium under Debian's chromedriver, driven by selenium, which downloads nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver import ChromeOptions
from selenium.webdriver.chrome.service import Service

CHROMIUM = shutil.which("chromium")
CHROMEDRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None or CHROMEDRIVER is None,
    reason="chromium or chromedriver is missing: apt-get install chromium chromium-driver",
)

REQUEST = "Network.requestWillBeSent"
FLAGS = [
    "--headless=new",
    "--no-sandbox",  # as root, and inside namespaces, it can make none of its own
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-device-scale-factor=1",
]


@contextmanager
def chromium(*flags: str, width: int = 1280, height: int = 900) -> Iterator[Chrome]:
    """A browser with a profile of its own, which keeps what it logs and requests."""
    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", *flags]:
            options.add_argument(flag)
        browser = Chrome(options=options, service=Service(executable_path=str(CHROMEDRIVER)))
        try:
            yield browser
        finally:
            browser.quit()


def complaints(browser: Chrome) -> list[str]:
    """What the console has been told since the last call, but for plain information."""
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("WARNING", "SEVERE")]


def hosts(browser: Chrome) -> set[str]:
    """With whom the page has spoken since the last call: "127.0.0.1:8112"."""
    seen: set[str] = set()
    for entry in browser.get_log("performance"):
        if REQUEST not in entry["message"]:
            continue  # most are what the streams of events have brought
        message: dict[str, Any] = json.loads(entry["message"])["message"]
        if message["method"] == REQUEST:
            address = urlsplit(message["params"]["request"]["url"])
            if address.scheme in ("http", "https", "ws", "wss"):
                seen.add(address.netloc)
    return seen
