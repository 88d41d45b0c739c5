"""Reads an HTTP answer of the lab's origin, as it comes through the proxy. Pure."""

from __future__ import annotations


def read_answer(received: bytes) -> tuple[str, str] | None:
    """Return (server, error) when the answer with a Content-Length is complete, None while it is not."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    status, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if status.split(" ")[1:2] != ["200"]:
        return "", f"answer {status}"
    if len(body) < int(fields.get("content-length", "0")):
        return None
    server = fields.get("x-asked-by", "")
    return (server, "") if server else ("", "the answer does not come from the origin")


def is_last(message: bytes) -> bool:
    """Tell whether a request or an answer says that its connection carries no other one."""
    return b"\r\nconnection: close\r\n" in (message.partition(b"\r\n\r\n")[0] + b"\r\n").lower()
