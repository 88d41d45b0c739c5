"""The Unix socket on which a running node answers its operator. One request and one answer, a JSON line each:
``{"verb": "demote", "arguments": {"reason": "..."}}``.

Who may connect is decided by the file system: the socket is open to its owner only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import struct
from collections.abc import Awaitable
from collections.abc import Mapping
from pathlib import Path

from wsa_proxy.runtime.asker import asker
from wsa_proxy.runtime.asker import asker_at
from wsa_proxy.runtime.patient_socket import PatientSocket
from wsa_proxy.runtime.verbs import Answer
from wsa_proxy.runtime.verbs import Verb
from wsa_proxy.runtime.verbs import WrongArguments
from wsa_proxy.runtime.verbs import call

logger = logging.getLogger(__name__)

REQUEST_BYTES_MAX = 4096
REQUEST_TIME_LIMIT_S = 5.0
CONNECTIONS_MAX = 16


class ControlError(Exception):
    """The socket cannot be had, or nobody answers on it; the text says which file and what to do."""


class ControlSocket:
    """Answers the verbs it is given. ``start`` raises ControlError when another node answers there already."""

    def __init__(self, path: Path, verbs: Mapping[str, Verb]) -> None:
        self._path = path
        self._verbs = verbs
        self._server: asyncio.Server | None = None
        self._connections = 0

    async def start(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale_socket(self._path)
            listening = PatientSocket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                _bind_for_owner(listening, self._path)
                self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=REQUEST_BYTES_MAX)
            except BaseException:
                listening.close()
                raise
        except OSError as error:
            raise ControlError(
                f"{self._path}: {error.strerror or error}; state_dir must be a writable folder"
            ) from error

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_TIME_LIMIT_S):
                    line = await reader.readline()
                asker.set(asker_at(writer.get_extra_info("socket")))
                answer = self._answer(line)
                # Whoever asks for what takes its time decides himself for how long he waits.
                answer = answer if isinstance(answer, dict) else await answer
                async with asyncio.timeout(REQUEST_TIME_LIMIT_S):
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            logger.debug("control socket: a request was not answered: %r", error)
        finally:
            self._connections -= 1
            writer.close()

    def _answer(self, line: bytes) -> Answer | Awaitable[Answer]:
        try:
            request = json.loads(line)
            verb, arguments = self._verbs[request["verb"]], request.get("arguments", {})
        except (ValueError, TypeError, KeyError):
            return {"error": f"expected a JSON line with one of the verbs {', '.join(sorted(self._verbs))}"}
        try:
            return call(request["verb"], verb, arguments)
        except WrongArguments as error:
            return {"error": str(error)}


def _bind_for_owner(listening: socket.socket, path: Path) -> None:
    """The file has its mode from its first moment on. The mask is the whole process's: nothing else runs under it."""
    mask = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(mask)


def remove_stale_socket(path: Path) -> None:
    """Remove the socket that a killed node left. Raises ControlError when somebody answers on it."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass
    raise ControlError(
        f"{path}: another wsa-proxy runs with this state_dir; stop it, or give this one its own state_dir"
    )


def ask(path: Path, verb: str, arguments: Mapping[str, str] | None = None, *, time_limit_s: float = 3.0) -> Answer:
    """What the running node answers. Raises ControlError with what to do when there is no answer."""
    request = {"verb": verb} | ({"arguments": dict(arguments)} if arguments else {})
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(time_limit_s)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answer:
                text = answer.read()
            if not text:
                raise ConnectionResetError
            return dict(json.loads(text))
        except FileNotFoundError as error:
            raise ControlError(f"{path}: no such socket; no node runs with this state_dir") from error
        except ConnectionRefusedError as error:
            raise ControlError(f"{path}: nobody answers; the node was killed, start it again") from error
        except (ConnectionResetError, BrokenPipeError) as error:
            raise ControlError(f"{path}: the node has hung up: too many ask at a time, or its log says why") from error
        except PermissionError as error:
            raise ControlError(f"{path}: permission denied; ask as root or as the proxy's own user") from error
        except TimeoutError as error:
            raise ControlError(f"{path}: no answer within {time_limit_s:g} s; {_why_silent(connection)}") from error
        except (OSError, ValueError) as error:
            raise ControlError(f"{path}: {error}") from error


def _why_silent(connection: socket.socket) -> str:
    """A process that was stopped (SIGSTOP, a debugger) needs another remedy than one that hangs."""
    try:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        pid: int = struct.unpack("3i", credentials)[0]  # 0 when it is of another PID namespace
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, struct.error, IndexError):
        return "the proxy hangs"
    if state in ("T", "t"):
        return f"the proxy, process {pid}, is stopped; let it go on: kill -CONT {pid}"
    return f"the proxy hangs, process {pid}"
