"""What mitmproxy has that must be equal on all nodes: with its real options and its real certificate store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import ctx
from mitmproxy.addons import default_addons
from mitmproxy.addons.core import Core
from mitmproxy.addons.tlsconfig import TlsConfig
from mitmproxy.test import taddons

from wsa_proxy.proxy import shared_facts
from wsa_proxy.proxy.shared_facts import OPTIONS
from wsa_proxy.proxy.shared_facts import SECRET_OPTIONS
from wsa_proxy.proxy.shared_facts import SharedFacts
from wsa_proxy.settings import PacSettings
from wsa_proxy.settings import Settings

SETTINGS = Settings(Path("node.yaml"), "a", True, Path("state"), ())


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[TlsConfig]:
    """mitmproxy's certificates, in a folder of their own."""
    addon = TlsConfig()
    with taddons.context(addon) as context:
        context.configure(addon, confdir=str(tmp_path / "a"))
        yield addon


def test_the_authority_is_that_of_the_store(tls: TlsConfig) -> None:
    """Sixteen digits of its SHA-256; another folder has another one; before there is a store, nothing."""
    found = shared_facts.ca_fingerprint()
    assert tls.certstore.default_ca.fingerprint().hex().startswith(found) and len(found) == 16
    ctx.options.confdir = str(Path(ctx.options.confdir) / "b")
    assert shared_facts.ca_fingerprint() not in ("", found)
    with taddons.context():
        assert shared_facts.ca_fingerprint() == ""


def test_only_what_is_not_as_usual(tls: TlsConfig) -> None:
    """Without the hosts and folders that are each node's own; secrets apart."""
    now_s = 0.0
    facts = SharedFacts(lambda: now_s)
    assert facts().options == {} and facts().versions.keys() == {"mitmproxy", "python"}
    ctx.options.update(mode=["regular@8080", "socks5@10.0.0.1:1080"], ssl_insecure=True, ignore_hosts=["a", "b"])
    certificate = Path(ctx.options.confdir) / "client.pem"
    certificate.write_text("")
    ctx.options.update(client_certs=str(certificate))
    assert facts().options == {}, "asked again within a second"
    now_s = 1.0
    assert facts().options == {
        "mode": "regular, socks5", "ssl_insecure": "True", "ignore_hosts": "a, b", "client_certs": "client.pem",
    }  # fmt: skip
    same = facts()
    now_s = 2.0
    assert facts() is same


def test_the_pac_file_is_the_same_on_all_nodes(tls: TlsConfig) -> None:
    """Or a browser would be told something else after a switch; off is as usual, and before there are settings."""
    pac = PacSettings(bypass_names=("localhost",))
    in_force: list[Settings | None] = [None, SETTINGS, replace(SETTINGS, pac=pac)]
    told = [SharedFacts(settings=lambda each=each: each)().options for each in in_force]  # type: ignore[misc]
    assert told == [{}, {}, {"pac": "groups all, share none, direct false, bypass localhost"}]


def test_every_option_exists() -> None:
    """A name that mitmproxy does not have any more would be compared for nothing."""
    with taddons.context(*[addon for addon in default_addons() if not isinstance(addon, Core)]):
        assert not {*OPTIONS, *SECRET_OPTIONS} - set(ctx.options.keys())


def test_what_may_be_a_token_is_told_by_a_fingerprint_only() -> None:
    """The others see that it differs; so do their status and log, for whoever reads them."""
    with taddons.context(*[addon for addon in default_addons() if not isinstance(addon, Core)]):
        ctx.options.update(modify_headers=["/~d example.com/Authorization/Bearer 1234"], stickyauth="~all")
        found = SharedFacts()()
        assert found.options == {} and found.secret_options.keys() == {"modify_headers", "stickyauth"}


def test_the_options_are_read_when_one_has_changed(tls: TlsConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not once a second: mitmproxy copies each value, and each default."""
    now_s = 0.0
    facts = SharedFacts(lambda: now_s)
    assert facts().options == {}
    read: list[str] = []
    real = type(ctx.options).default

    def default(options: Any, name: str) -> Any:
        read.append(name)
        return real(options, name)

    monkeypatch.setattr(type(ctx.options), "default", default)
    now_s = 1.0
    assert facts().options == {} and read == []
    ctx.options.ssl_insecure = True
    now_s = 2.0
    assert facts().options == {"ssl_insecure": "True"} and read
    ctx.options.reset()
    now_s = 3.0
    assert facts().options == {}
