"""A person who loads one page after the other, by HTTP and by HTTPS in turn, in a browser that is configured to the
proxy and to nothing else: ``python -m tests.browser.surfer PROXY CA``. Prints a JSON line for each load.

``at`` and ``took_s`` are monotonic seconds; ``error`` is what the browser said, empty when the page was shown.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization import PublicFormat
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome

from tests.browser.chromium import chromium

URLS = ("http://origin.example.com/", "https://origin.example.com/")
SHOWN = "origin origin"
PATIENCE_S = 3.0
"""Then a person loads a page again. A request that a frozen proxy has taken is answered by nobody, and nobody tells the
browser so."""
PAUSE_S = 0.05


def trusting(authority: Path) -> str:
    """The flag with which Chromium trusts what is signed by this certificate's key, and nothing else that it does not
    know."""
    key = x509.load_pem_x509_certificate(authority.read_bytes()).public_key()
    encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"--ignore-certificate-errors-spki-list={base64.b64encode(hashlib.sha256(encoded).digest()).decode()}"


def load(browser: Chrome, url: str) -> str:
    """Empty, or why the page is not there."""
    try:
        browser.get(url)
    except WebDriverException as error:
        return str(error.msg).splitlines()[0]
    return "" if SHOWN in browser.page_source else f"another page: {browser.title}"


def main(proxy: str, authority: str) -> None:
    with chromium(f"--proxy-server=http://{proxy}", trusting(Path(authority))) as browser:
        browser.set_page_load_timeout(PATIENCE_S)
        while True:
            for url in URLS:
                began_s = time.monotonic()
                error = load(browser, url)
                line = {"url": url, "at": began_s, "took_s": time.monotonic() - began_s, "error": error}
                print(json.dumps(line), flush=True)
                time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
