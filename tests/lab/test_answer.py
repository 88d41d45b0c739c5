from __future__ import annotations

import pytest

from wsa_proxy.lab.answer import is_last
from wsa_proxy.lab.answer import read_answer

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Asked-By: 10.0.0.2\r\n\r\nbody"


@pytest.mark.parametrize("end", range(len(ANSWER)))
def test_an_answer_is_complete_with_its_last_byte_only(end: int) -> None:
    """A connection that is cut within an answer is no success."""
    assert read_answer(ANSWER[:end]) is None


def test_a_complete_answer_names_the_server() -> None:
    """That is how the lab knows which node served."""
    assert read_answer(ANSWER) == ("10.0.0.2", "")


@pytest.mark.parametrize(
    ("received", "error"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "answer HTTP/1.1 502 Bad Gateway"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "the answer does not come from the origin"),
        (b"nonsense\r\n\r\n", "answer nonsense"),
    ],
)
def test_any_other_answer_is_a_failure(received: bytes, error: str) -> None:
    """A proxy's own error page is not the service."""
    assert read_answer(received) == ("", error)


@pytest.mark.parametrize(
    ("answer", "last"),
    [
        (ANSWER, False),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\n\r\nconnection: close\r\n", False),
    ],
)
def test_an_answer_says_whether_it_is_the_last_of_its_connection(answer: bytes, last: bool) -> None:
    """In its head, wherever there, and in any case; the body does not count."""
    assert is_last(answer) is last
