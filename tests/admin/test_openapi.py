"""The description, and schemathesis, which holds it against the server that runs."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.admin.world import PASSWORD
from tests.admin.world import World
from tests.admin.world import document_of
from wsa_proxy.admin import attempts

# Each request is answered as described, whatever is sent: that takes the status, the media type and the schema of the
# answer, that wrong data is refused and that nobody is let in without the password.
COMMAND = [
    "run", "--generation-deterministic", "--max-examples", "4", "--phases", "coverage,fuzzing",
    "--request-timeout", "10", "--exclude-path", "/api/events",  # it has no end
    "--no-color", "--suppress-health-check", "all", "--warnings", "off",
]  # fmt: skip


async def test_every_path_and_verb_is_described(world: World) -> None:
    """An action with the arguments of its verb; what needs no login says so."""
    document = document_of(await world.client.with_bearer()("/api/openapi.json"))
    paths = document["paths"]
    actions = {f"/api/actions/{verb}" for verb in world.node.verbs}
    assert set(paths) == {route.path for route in world.server.routes} - {"/api/actions/{verb}"} | actions
    switch = paths["/api/actions/switch"]["post"]
    assert switch["requestBody"] == {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"group": {"type": "string"}, "to": {"type": "string"}},
                    "required": ["group"],
                    "additionalProperties": False,
                }
            }
        },
    }
    assert paths["/api/actions/demote"]["post"]["summary"] == "Let another node take over."
    assert not paths["/api/actions/restore"]["post"]["requestBody"]["required"]
    open_paths = {path for path, methods in paths.items() for method in methods.values() if not method["security"]}
    assert open_paths == {"/login"}
    assert [each["name"] for each in paths["/api/history"]["get"]["parameters"]] == ["group", "limit", "before"]


async def test_the_description_holds(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What schemathesis makes up, the same in each run, is answered as the description says."""
    monkeypatch.setattr(attempts, "AT_ONCE", 1e9)  # it tries wrong passwords, too
    asyncio.get_running_loop().set_debug(False)  # it would take most of the time
    address = f"http://127.0.0.1:{world.port}/api/openapi.json"
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).parent / "schemathesis", *COMMAND, "-H", f"Authorization: Bearer {PASSWORD}", address,
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "16 selected / 17 total" in output.decode()
    # The node has no such group, and what is made up as a reason is hardly ever a line that can be printed.
    assert {"restore"} <= {call[0] for call in world.node.called} <= {"demote", "restore"}
