from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.example import GOOD
from tests.config.example import loaded
from tests.config.example import told
from wsa_proxy.config.health import HEALTH_ALLOWED
from wsa_proxy.config.health import HEALTH_KEYS
from wsa_proxy.config.health import LIMIT_KEYS
from wsa_proxy.config.health import TEST_KEYS
from wsa_proxy.config.health import AllTestsKeys
from wsa_proxy.config.health import CountKeys
from wsa_proxy.config.health import HealthKeys
from wsa_proxy.config.health import SecondsKeys
from wsa_proxy.settings import HealthSettings
from wsa_proxy.settings import Limits

ITSELF = "is where this proxy itself listens; name a server behind it"
URL = "must be a URL that starts with http:// or https://, without a user name"
SECONDS = "must be a number of seconds from 0.1 to 60"
TIMES = "must be a whole number from 1 to 100"
TESTS = (
    "must be the names of tests, each with its own keys; known are get, connect, upstream, descriptors, addons, held"
)


def test_what_is_left_out_is_the_usual(tmp_path: Path) -> None:
    """Nothing has to be written; what is written changes itself and nothing else."""
    assert loaded(tmp_path, GOOD).settings.health == HealthSettings()
    assert loaded(tmp_path, GOOD + "health: {}\n").settings.health == HealthSettings()
    text = """\
health:
  upstream: https://www.example.com/check?a=b
  tests:
    get: {limit: 1.5}
    connect: {rise: 3, fall: 4}
    upstream:
      fall: 1
    descriptors: {limit: 64}
    addons: {fall: 50}
    held: {limit: 30, fall: 10}
"""
    assert loaded(tmp_path, GOOD + text).settings.health == HealthSettings(
        upstream="https://www.example.com/check?a=b",
        get=Limits(1.5, 2, 2),
        connect=Limits(2.0, 3, 4),
        upstream_limits=Limits(5.0, 2, 1),
        descriptors=Limits(64, 10, 5),
        addons=Limits(2.0, 2, 50),
        held=Limits(30, 2, 10),
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("health: 3", "11: health: 3: must be keys with values; known are upstream, tests"),
        ("health:", "11: health: has no value; write one or remove the line"),
        ("health:\n  upstream:", "12: health.upstream: has no value; write one or remove the line"),
        ("health:\n  upstream: www.example.com", f"12: health.upstream: www.example.com: {URL}"),
        (
            "health:\n  upstream: http://10.0.0.3:8080/",
            f"12: health.upstream: http://10.0.0.3:8080/: {ITSELF}",
        ),
        (
            "health:\n  upstream: https://Proxy.Example.com:8080/a",
            f"12: health.upstream: https://Proxy.Example.com:8080/a: {ITSELF}",
        ),
        ("health:\n  upstream: ftp://www.example.com/", f"12: health.upstream: ftp://www.example.com/: {URL}"),
        ("health:\n  upstream: http://user:word@a.b/", f"12: health.upstream: http://user:word@a.b/: {URL}"),
        ("health:\n  upstream: http://:80/", f"12: health.upstream: http://:80/: {URL}"),
        ("health:\n  upstream: http://a.b:99999/", f"12: health.upstream: http://a.b:99999/: {URL}"),
        ("health:\n  upstream: 'http://a.b/ c'", f"12: health.upstream: 'http://a.b/ c': {URL}"),
        ("health:\n  upstream: http://gr\u00fcn.example/", f"12: health.upstream: http://gr\u00fcn.example/: {URL}"),
        ("health:\n  upstream: 3", f"12: health.upstream: 3: {URL}"),
        ("health:\n  upstream: [http://a.b/]", f"12: health.upstream: {URL}"),
        ("health:\n  upstraem: http://a.b/", "12: health.upstraem: unknown key; did you mean upstream?"),
        ("health:\n  interval: 3", "12: health.interval: unknown key; known here are upstream, tests"),
        ("health:\n  tests: 3", f"12: health.tests: 3: {TESTS}"),
        ("health:\n  tests: [get]", f"12: health.tests: {TESTS}"),
        ("health:\n  tests:\n    loop: {limit: 3}", "13: health.tests.loop: unknown key; known here are get, connect,"),
        (
            "health:\n  tests:\n    get: 3",
            "13: health.tests.get: 3: must be keys with values; known are limit, rise, f",
        ),
        ("health:\n  tests:\n    get: {limits: 3}", "13: health.tests.get.limits: unknown key; did you mean limit?"),
        ("health:\n  tests:\n    get: {limit: 0}", f"13: health.tests.get.limit: 0: {SECONDS}"),
        ("health:\n  tests:\n    get: {limit: 60.1}", f"13: health.tests.get.limit: 60.1: {SECONDS}"),
        ("health:\n  tests:\n    get: {limit: .nan}", f"13: health.tests.get.limit: .nan: {SECONDS}"),
        ("health:\n  tests:\n    get: {limit: true}", f"13: health.tests.get.limit: true: {SECONDS}"),
        (
            "health:\n  tests:\n    get: {limit: '2'}",
            f"13: health.tests.get.limit: '2': {SECONDS}; write it without quotes",
        ),
        ("health:\n  tests:\n    connect: {rise: 0}", f"13: health.tests.connect.rise: 0: {TIMES}"),
        ("health:\n  tests:\n    connect: {fall: 101}", f"13: health.tests.connect.fall: 101: {TIMES}"),
        ("health:\n  tests:\n    upstream: {fall: 1.5}", f"13: health.tests.upstream.fall: 1.5: {TIMES}"),
        (
            "health:\n  tests:\n    descriptors: {limit: 0.5}",
            "13: health.tests.descriptors.limit: 0.5: must be a whole number from 1 to 1000000",
        ),
        ("health:\n  tests:\n    get:\n      limit:", "14: health.tests.get.limit: has no value; write one or remove"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, line: str) -> None:
    """The line, the key in full, what is allowed; and only that."""
    lines = told(tmp_path, f"{GOOD}{text}\n").splitlines()
    assert len(lines) == 1 and lines[0].startswith(line), lines


def test_every_key_has_its_words() -> None:
    """Each key of the models has the sentence that says what it may hold, and no sentence is left over."""
    assert tuple(HealthKeys.model_fields) == HEALTH_KEYS
    assert tuple(AllTestsKeys.model_fields) == TEST_KEYS
    assert tuple(SecondsKeys.model_fields) == tuple(CountKeys.model_fields) == LIMIT_KEYS
    assert {"health", *HEALTH_KEYS, *TEST_KEYS, *LIMIT_KEYS} == set(HEALTH_ALLOWED)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    """With what is wrong elsewhere in the file."""
    text = GOOD.replace("priority: 255", "priority: 256") + "health:\n  upstream: a\n  tests:\n    get: {rise: 0}\n"
    assert [line.split(":")[1].strip() for line in told(tmp_path, text).splitlines()] == [
        "groups[0].priority",
        "health.upstream",
        "health.tests.get.rise",
    ]


def test_another_port_of_the_virtual_ip_is_another_server(tmp_path: Path) -> None:
    """A load balancer may stand there."""
    text = GOOD + "health:\n  upstream: http://10.0.0.3:8081/\n"
    assert loaded(tmp_path, text).settings.health.upstream == "http://10.0.0.3:8081/"
