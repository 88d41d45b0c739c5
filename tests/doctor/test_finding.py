from __future__ import annotations

from wsa_proxy.doctor.finding import Examination
from wsa_proxy.doctor.finding import Finding
from wsa_proxy.doctor.finding import NotMade
from wsa_proxy.doctor.finding import unique

WRONG, UNDONE = Finding("what", "evidence", "fix"), NotMade("why")


def test_an_examination_tells_findings_from_what_was_not_made() -> None:
    examination = Examination((("one", (WRONG, UNDONE)), ("two", ())))
    assert examination.findings == [("one", WRONG)]
    assert examination.not_made == [("one", UNDONE)]


def test_each_answer_once_in_its_order() -> None:
    assert list(unique([UNDONE, WRONG, UNDONE, WRONG])) == [UNDONE, WRONG]
