"""What a PAC file says, by a real JavaScript engine: node has the one of Chromium.

None of the functions that browsers offer to a PAC file is there: one that calls any of them fails.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

import pytest

NODE = shutil.which("node")
RUN = """
const {script, read, hosts} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const vm = require("vm"), context = vm.createContext({});
vm.runInContext(script, context);
const answers = hosts.map(host => context.FindProxyForURL("http://" + host + "/", host));
const values = read.map(code => vm.runInContext(code, context));
process.stdout.write(JSON.stringify([answers, values, Object.keys(context)]));
"""

needs_node = pytest.mark.skipif(NODE is None, reason="node is missing: apt-get install nodejs")


def evaluated(script: bytes, hosts: Sequence[str], read: Sequence[str] = ()) -> tuple[list[str], list[Any], list[str]]:
    """What it answers for each host, what these expressions come to after it, and the names that it defines."""
    assert NODE is not None
    given = json.dumps({"script": script.decode("ascii"), "hosts": hosts, "read": read})
    ended = subprocess.run([NODE, "-e", RUN], input=given, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    answers, values, names = json.loads(ended.stdout)
    return answers, values, names


def found(script: bytes, hosts: Sequence[str]) -> list[str]:
    """What it answers for each host."""
    return evaluated(script, hosts)[0]
