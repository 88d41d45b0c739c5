"""One event as a document: what others build on, with bounds."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC
from datetime import datetime

from wsa_proxy.runtime.history_event import TEXT_CHARACTERS_MAX
from wsa_proxy.runtime.history_event import Event
from wsa_proxy.runtime.history_event import Outage

AT = datetime(2026, 11, 29, 3, 0, 0, 123456, tzinfo=UTC)
EVENT = Event(7, AT, "b", 1, "backup", "master", "master_silent", "silent_s=3.21 last_master=10.0.0.1", "boot", "life")


def test_the_document_has_what_the_others_read() -> None:
    """The page, the command line and ``notify`` read these names."""
    event = dataclasses.replace(EVENT, who="operator (uid 0, cli)", outage=Outage(12.34, 480.06, "measured"))
    assert event.document() == {
        "number": 7,
        "at": "2026-11-29T03:00:00.123+00:00",
        "node": "b",
        "group": 1,
        "from": "backup",
        "to": "master",
        "reason": "master_silent",
        "evidence": "silent_s=3.21 last_master=10.0.0.1",
        "sentence": "Node b became MASTER of group 1: the master 10.0.0.1 was not heard for 3.21 s,"
        " ordered by operator (uid 0, cli).",
        "who": "operator (uid 0, cli)",
        "outage": {"ms_min": 12.3, "ms_max": 480.1, "how": "measured"},
        "boot": "boot",
        "life": "life",
    }


def test_every_text_has_a_bound() -> None:
    """Whoever provokes long ones fills no disk; and none has more than one line."""
    long = "two\nlines " * 1000
    event = dataclasses.replace(EVENT, reason=long, evidence=long, who=long, outage=Outage(0, 1, long))
    document = event.document()
    texts = [document["reason"], document["evidence"], document["who"], document["outage"]["how"]]
    assert all(len(each) == TEXT_CHARACTERS_MAX and "\n" not in each for each in texts)
    assert len(json.dumps(document)) < 8 * TEXT_CHARACTERS_MAX
