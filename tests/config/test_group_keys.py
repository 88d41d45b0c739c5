"""The rest of test_schema's table: the secret, and the keys that a group may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import Case
from tests.config.example import changed
from tests.config.example import told

CASES: list[Case] = [
    ("twelve-bytes!", "''", "10: groups[0].shared_secret: is empty; write one of 12 to 19 bytes"),
    (
        "twelve-bytes!",
        "12345678",
        "10: groups[0].shared_secret: must be text of 1 to 19 bytes, or a list of 1 to 8 of them; put it in quotes",
    ),
    (
        "twelve-bytes!",
        "true",
        "10: groups[0].shared_secret: must be text of 1 to 19 bytes, or a list of 1 to 8 of them; put it in quotes",
    ),
    (
        "twelve-bytes!",
        "#abc",
        (
            "10: groups[0].shared_secret: has no value; write one or remove the line; one that starts with # & ! or "
            "* needs quotes"
        ),
    ),
    (
        "twelve-bytes!",
        "&abc",
        (
            "10: groups[0].shared_secret: has no value; write one or remove the line; one that starts with # & ! or "
            "* needs quotes"
        ),
    ),
    (
        "twelve-bytes!",
        "!abc x",
        "10: groups[0].shared_secret: a YAML tag (!...) is not allowed here; put the value in quotes",
    ),
    (
        "twelve-bytes!",
        "has-more-than-19-bytes",
        (
            "10: groups[0].shared_secret: has 22 bytes; CARP uses 19, and peers cut the rest silently; shorten it to "
            "19 bytes on all nodes"
        ),
    ),
    (
        "twelve-bytes!",
        "grün-grün-grün-grün",
        (
            "10: groups[0].shared_secret: has 23 bytes; CARP uses 19, and peers cut the rest silently; shorten it to "
            "19 bytes on all nodes"
        ),
    ),
    (
        "twelve-bytes!",
        '"a\\tb"',
        "10: groups[0].shared_secret: holds a control character (a Windows line end?); remove it",
    ),
    (
        "twelve-bytes!",
        '"\\ud800"',
        "10: groups[0].shared_secret: holds half a character (\\ud800 to \\udfff); write the whole one",
    ),
    (
        "twelve-bytes!",
        "[hunter2hunter2hunter2, 5]",
        (
            "10: groups[0].shared_secret[0]: has 21 bytes; CARP uses 19, and peers cut the rest silently; shorten it "
            "to 19 bytes on all nodes\n"
            "10: groups[0].shared_secret[1]: must be text of 1 to 19 bytes, or a list of 1 to 8 of them; put it in "
            "quotes"
        ),
    ),
    ("twelve-bytes!", "[]", "10: groups[0].shared_secret: must be text of 1 to 19 bytes, or a list of 1 to 8 of them"),
    (
        "    interface: auto\n",
        "    interface: auto\n    port: 0\n",
        "9: groups[0].port: 0: must be a whole number from 1 to 65535",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    port: '8080'\n",
        "9: groups[0].port: '8080': must be a whole number from 1 to 65535; write it without quotes",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    mac: x\n",
        "9: groups[0].mac: x: must be virtual (00:00:5e:00:01:ID) or interface (the network card's own)",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    security: x\n",
        "9: groups[0].security: x: must be sealed, carp, or a list of both: the first signs, all are accepted",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    security: [carp, carp]\n",
        "9: groups[0].security: must be sealed, carp, or a list of both: the first signs, all are accepted",
    ),
    (
        "    shared_secret: twelve-bytes!\n",
        "    security: [carp, sealed]\n",
        "10: groups[0].security: sealed needs a shared_secret; write one, or security: carp",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    peers: []\n",
        (
            "9: groups[0].peers: must be the address of another node such as 10.0.0.2, or a list of 1 to 64 of them: "
            "advertisements go to each instead of the multicast group"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    carppeer: 10.0.0.2\n",
        "9: groups[0].carppeer: unknown key; did you mean peers?",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    preempt_delay: -1\n",
        "9: groups[0].preempt_delay: -1: must be a number of seconds from 0 to 3600",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    preempt_delay: '5'\n",
        "9: groups[0].preempt_delay: '5': must be a number of seconds from 0 to 3600; write it without quotes",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    preempt_delay: 5\n    preempt_delay_max: 4\n",
        "10: groups[0].preempt_delay_max: 4: is less than preempt_delay, 5; write at least that",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    admin: {password: hunter2}\n",
        "9: groups[0].admin: is a key of the whole file; move it out of the group",
    ),
    ("    interface: auto\n", "    interface: auto\n    vhid: 1\n", "9: groups[0].vhid: unknown key; did you mean id?"),
    (
        "    interface: auto\n",
        "    interface: auto\n    shared-secret: hunter2\n",
        "9: groups[0].shared-secret: unknown key; did you mean shared_secret?",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    shared_secret:hunter2: 1\n",
        "9: groups[0].shared_secret...: unknown key; did you mean shared_secret?",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    zzzz: hunter2\n",
        (
            "9: groups[0].zzzz: unknown key; known here are id, description, hostname, virtual_ip, interface, "
            "priority, shared_secret, shared_secret_file, advertisement_interval, port, mac, security, "
            "peers, preempt_delay, preempt_delay_max, members"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    node: b\n",
        "9: groups[0].node: is a key of the whole file; move it out of the group",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    <<: {a: 1}\n",
        "9: groups[0].<<: merging (<<) is not supported; write the keys out",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    description: 5\n",
        "9: groups[0].description: 5: must be text on one line, 200 characters at most; put it in quotes",
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    description: |\n      a\n      b\n",
        '9: groups[0].description: "a\\nb\\n": must be text on one line, 200 characters at most',
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: 1.5\n",
        (
            "9: groups[0].advertisement_interval: 1.5: must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004)"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: '1'\n",
        (
            "9: groups[0].advertisement_interval: '1': must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004); write it without quotes"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: true\n",
        (
            "9: groups[0].advertisement_interval: true: must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004)"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: 256\n",
        (
            "9: groups[0].advertisement_interval: 256: must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004)"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: 0.001\n",
        (
            "9: groups[0].advertisement_interval: 0.001: must be a whole number of seconds from 1 to 255, or a "
            "number below 1 (at least 0.004)"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: .inf\n",
        (
            "9: groups[0].advertisement_interval: .inf: must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004)"
        ),
    ),
    (
        "    interface: auto\n",
        "    interface: auto\n    advertisement_interval: 2.0\n",
        (
            "9: groups[0].advertisement_interval: 2.0: must be a whole number of seconds from 1 to 255, or a number "
            "below 1 (at least 0.004); write 2"
        ),
    ),
]


@pytest.mark.parametrize(("old", "new", "lines"), CASES)
def test_each_is_told_precisely(tmp_path: Path, old: str, new: str, lines: str) -> None:
    """A wrong key or secret gives exactly the lines that help, and never the secret."""
    assert told(tmp_path, changed(old, new)) == lines
