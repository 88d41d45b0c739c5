"""A mitmdump to start, an origin to ask."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path

import pytest
from mitmproxy.addons.next_layer import NextLayer
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.test import taddons

from tests.proxy.processes import ADDON
from tests.proxy.processes import RECORD_SOCKETS
from tests.proxy.processes import ROOT
from tests.proxy.processes import Origin
from tests.proxy.processes import Proxy
from tests.proxy.processes import free_port
from tests.proxy.processes import until
from tests.runtime.virtual_time import VirtualTimeLoop
from wsa_proxy.proxy import mitmproxy_internals

IN_VIRTUAL_TIME = {"test_planned_stop.py", "test_planned_switch.py"}


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.path.name in IN_VIRTUAL_TIME:
        return {"virtual": VirtualTimeLoop}
    return {"real": asyncio.SelectorEventLoop}


@pytest.fixture
def start_proxy(tmp_path: Path) -> Iterator[Callable[..., Proxy]]:
    """start_proxy(*options, virtual=[(host, port)], tool="mitmdump") -> Proxy, stopped at the end of the test.

    ``after``: the text of an addon behind the one under test; ``options`` may name one before it.
    """
    started: list[Proxy] = []

    def start(
        *options: str,
        virtual: list[tuple[str, int]] | None = None,
        tool: str = "mitmdump",
        addon: bool = True,
        before: list[str] | None = None,
        listen_port: bool = True,
        after: str = "",
    ) -> Proxy:
        folder = tmp_path / f"proxy{len(started)}"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(RECORD_SOCKETS)
        (folder / "addon.py").write_text(ADDON)
        (folder / "sockets").touch()
        port = free_port()
        command = [*(before or []), str(Path(sys.executable).parent / tool)]
        command += ["--set", f"confdir={tmp_path}/ca", *options]
        command += ["--listen-port", str(port)] if listen_port else []
        command += ["-s", str(folder / "addon.py")] if addon else []
        if after:
            (folder / "after.py").write_text(after)
            command += ["-s", str(folder / "after.py")]
        environment = {
            **os.environ,
            "PYTHONPATH": f"{folder}:{ROOT}",
            "PYTHONUNBUFFERED": "1",
            "TEST_SOCKETS": str(folder / "sockets"),
            "TEST_VIRTUAL": json.dumps([("127.0.0.77", port)] if virtual is None else virtual),
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        started.append(Proxy(process, folder / "log", folder / "sockets", port))
        return started[-1]

    yield start
    for proxy in started:
        if proxy.process.poll() is None:
            proxy.process.send_signal(signal.SIGTERM)
            try:
                proxy.process.wait(5)
            except subprocess.TimeoutExpired:
                proxy.process.kill()
                proxy.process.wait()


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.let_go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
async def inside() -> AsyncIterator[taddons.context]:
    """mitmproxy's proxyserver inside the test's own loop, with eager tasks as Master.run has them."""
    loop = asyncio.get_running_loop()
    before = loop.get_task_factory()
    loop.set_task_factory(asyncio.eager_task_factory)
    proxyserver = Proxyserver()
    with taddons.context(proxyserver, NextLayer()) as context:
        context.configure(proxyserver, listen_port=free_port())
        yield context
        mitmproxy_internals.give_back_listen()
        context.options.update(mode=[])
        await proxyserver.setup_servers()
        for handler in list(proxyserver.connections.values()):
            mitmproxy_internals.end_handler(handler)
        await until(lambda: not proxyserver.connections)
    loop.set_task_factory(before)
