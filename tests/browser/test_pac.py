"""A person's browser knows nothing but the address of the PAC file."""

from __future__ import annotations

import http.server
import threading
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.browser.chromium import chromium
from tests.browser.chromium import needs_chromium
from tests.lab import scenarios
from tests.lab.inside import needs_namespaces
from tests.lab.inside import run_inside
from wsa_proxy.lab import namespace
from wsa_proxy.lab.lab import FOLDER
from wsa_proxy.lab.lab import Lab
from wsa_proxy.lab.topology import CLIENT

ASKED_BY = "return fetch(location.href).then(answer => answer.headers.get('X-Asked-By'))"
FLAGS = (
    "--proxy-pac-url=http://proxy.example.com:8080/proxy.pac",
    "--ignore-certificate-errors",  # mitmproxy's authority is not among those that it trusts
)
NODES = {"10.0.0.1": "a", "10.0.0.2": "b"}

pytestmark = [needs_namespaces, needs_chromium]


def test_chromium_browses_by_the_pac_file() -> None:
    """HTTP and HTTPS through the node that serves, before and after a kill, in the browser that was open meanwhile and
    in a new one, which gets the file from the successor; what is to be asked directly comes to this very host. That the
    two nodes have different files, they say."""
    seen = run_inside(browse, 110)
    for when, node in (("before", "a"), ("after", "b"), ("anew", "b")):
        http, https = seen[when]["pages"]
        assert http["text"].startswith("origin origin") and https["text"].startswith("origin origin"), seen
        assert [NODES[http["asked_by"]], NODES[https["asked_by"]]] == [node, node], seen
        assert seen[when]["direct"] == [str(CLIENT.ipv4.ip)] * 2, seen
    ((mismatch,),) = seen["mismatches"]
    assert mismatch.startswith("option pac groups all, share none, direct true"), mismatch
    assert seen["before"]["served"]["a"] >= 1
    assert seen["anew"]["served"]["b"] > seen["after"]["served"]["b"]


class Echo(http.server.BaseHTTPRequestHandler):
    """Says who asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(self.client_address[0].encode())

    def log_message(self, *arguments: object) -> None: ...


def browse() -> dict[str, Any]:
    """Inside the namespaces."""
    pac = {"bypass": ["direct.example.net", f"{CLIENT.ipv4.ip}/32"]}
    lab = Lab(overrides={"pac": pac, "b.pac": pac | {"direct": True}}, say=scenarios.say).__enter__()
    lab.settle()
    mismatches = [each["mismatches"] for each in scenarios.status(lab, "a")["groups"][0]["members"]["list"]]
    with (FOLDER / "hosts").open("a") as hosts:
        hosts.write(f"{CLIENT.ipv4.ip} direct.example.net\n")
    with namespace.inside(lab.topology.networks["client"]):
        server = http.server.ThreadingHTTPServer((str(CLIENT.ipv4.ip), 8000), Echo)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with chromium(*FLAGS) as browser:
            before = visited(lab, browser, "ab")
            scenarios.do(lab, "kill", "a")
            lab.settle()
            after = visited(lab, browser, "b")
        with chromium(*FLAGS) as browser:
            anew = visited(lab, browser, "b")
    return {"before": before, "after": after, "anew": anew, "mismatches": mismatches}


def visited(lab: Lab, browser: Chrome, nodes: str) -> dict[str, Any]:
    """What the browser sees, and how often these nodes have served the file."""
    pages = [
        {"text": shown(browser, f"{scheme}://origin.example.com/"), "asked_by": browser.execute_script(ASKED_BY)}
        for scheme in ("http", "https")
    ]
    direct = [shown(browser, f"http://{host}:8000/") for host in ("direct.example.net", CLIENT.ipv4.ip)]
    served = {name: scenarios.status(lab, name)["pac"]["served"] for name in nodes}
    return {"pages": pages, "direct": direct, "served": served}


def shown(browser: Chrome, url: str) -> str:
    """The text of the page."""
    browser.get(url)
    return browser.find_element(By.TAG_NAME, "body").text
