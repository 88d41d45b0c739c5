"""What a self-test costs, both ends together, in a real mitmproxy: ``python -m tests.bench.self_tests``.

The usual addons of mitmdump are loaded, as a self-test must pass by them. CPU time of the process, in milliseconds.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable
from collections.abc import Callable
from ipaddress import ip_address

from mitmproxy import options
from mitmproxy.connection import Client
from mitmproxy.proxy.mode_specs import ProxyMode
from mitmproxy.proxy.server_hooks import ClientConnectedHook
from mitmproxy.tools.dump import DumpMaster

from tests.proxy.processes import free_port
from wsa_proxy.proxy import descriptors
from wsa_proxy.proxy import listening_socket
from wsa_proxy.proxy import mitmproxy_internals
from wsa_proxy.proxy.hook_calls import HookCalls
from wsa_proxy.proxy.listener import LoopbackEndpoint
from wsa_proxy.proxy.questions import Questions
from wsa_proxy.proxy.self_tests import SelfTests

TIMES = 300
ROUNDS = 5


async def cost_ms(ask: Callable[[], Awaitable[None]], times: int = TIMES) -> str:
    """Median, lowest and highest of the rounds, per call."""
    each = []
    for _ in range(ROUNDS):
        before = time.process_time()
        for _ in range(times):
            await ask()
        each.append((time.process_time() - before) / times * 1e3)
    return f"{statistics.median(each):.4f} ({min(each):.4f}..{max(each):.4f})"


async def main() -> None:
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    with tempfile.TemporaryDirectory() as confdir:
        master = DumpMaster(options.Options(listen_host="127.0.0.1", listen_port=free_port()), with_dumper=True)
        master.options.update(confdir=confdir)
        tests = SelfTests()
        calls = HookCalls(tests)
        client = Client(peername=("192.0.2.1", 1), sockname=("192.0.2.2", 2), timestamp_start=0.0)
        client.proxy_mode = ProxyMode.parse("regular")

        async def hook() -> None:
            await master.addons.handle_lifecycle(ClientConnectedHook(client))

        print("hook, without the wrapper  ", await cost_ms(hook, 3000))
        calls.install()
        print("hook, with it              ", await cost_ms(hook, 3000))
        await mitmproxy_internals.set_up_servers()
        (instance,) = mitmproxy_internals.instances()
        endpoint = LoopbackEndpoint("regular", "regular", *mitmproxy_internals.tcp_names(instance)[0])
        asking = Questions(tests)
        print("GET                        ", await cost_ms(lambda: asking.get(endpoint, 5.0)))
        first = time.process_time()
        await asking.connect(endpoint, 5.0)
        print(f"CONNECT, the first          {(time.process_time() - first) * 1e3:.4f}")
        print("CONNECT                    ", await cost_ms(lambda: asking.connect(endpoint, 5.0), 100))

        (listening,) = mitmproxy_internals.listening_on([ip_address(endpoint.host)])

        async def look() -> None:
            descriptors.left()
            listening_socket.waiting(listening)

        print("descriptors and one queue  ", await cost_ms(look, 3000))
        calls.uninstall()
        master.options.update(server=False)
        await mitmproxy_internals.proxyserver().setup_servers()


if __name__ == "__main__":
    asyncio.run(main())
