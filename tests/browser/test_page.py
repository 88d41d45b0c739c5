"""The page tells the truth about its node, also when the node tells nothing any more."""

from __future__ import annotations

import copy
from datetime import UTC
from datetime import datetime
from typing import Any

from selenium.webdriver import Keys

from tests.browser import documents
from tests.browser.chromium import needs_chromium
from tests.browser.fake_node import FakeNode
from tests.browser.looking import Page

pytestmark = needs_chromium

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>alert(1)</script>"


def test_a_change_of_role_is_seen_without_reload(page: Page, node: FakeNode) -> None:
    """In the big word, in the table, in the tab, and as an event of the history."""
    page.open()
    page.run("window.isTheSamePage = true")
    assert page.text(".panel .role") == "MASTER"
    assert page.browser.title.startswith("MASTER a")
    icon = page.attribute("#favicon", "href")
    node.tell(documents.status(documents.group("backup")))
    node.happen(documents.event(6, 0, "master", "backup", sentence="node b has the higher priority"))
    page.until(lambda: page.text(".panel .role") == "BACKUP")
    assert page.text(".groups .role") == "BACKUP"
    assert page.browser.title.startswith("BACKUP a")
    assert page.attribute("#favicon", "href") != icon
    page.until_text("node b has the higher priority", ".history")
    assert page.run("return window.isTheSamePage") is True


def test_a_tab_behind_others_tells_its_role_and_does_no_more(page: Page, node: FakeNode) -> None:
    """When it comes to the front it shows at once what there is by then."""
    page.open()
    page.run("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
    node.tell(documents.status(documents.group("backup")))
    page.until(lambda: page.browser.title.startswith("BACKUP a"))
    assert page.text(".panel .role") == "MASTER"
    page.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert page.text(".panel .role") == "BACKUP"


def test_silence_turns_everything_grey_and_it_comes_back_by_itself(page: Page, node: FakeNode) -> None:
    """Nothing stays green without news; the page goes on asking."""
    page.open()
    green = page.colour(".panel .role")
    page.run("document.documentElement.dataset.staleAfterMs = 800")
    node.is_silent = True
    page.until(lambda: page.text(".panel .role") == "UNKNOWN")
    assert page.colour(".panel .role") != green
    assert "last seen MASTER" in page.text(".panel")
    assert page.browser.title.startswith("UNKNOWN")
    assert "connection lost" in page.text("#connection")
    assert "answers" not in page.text(".top-line")
    assert "healthy" not in page.text(".top-line")
    assert green not in page.run(
        "return [...document.querySelectorAll('main .good, main .role')].map((e) => getComputedStyle(e).color)"
    )
    node.is_silent = False
    page.until(lambda: page.text(".panel .role") == "MASTER")
    assert page.text("#connection") == "live"


def test_the_address_of_the_pac_file_is_shown(page: Page, node: FakeNode) -> None:
    node.status["pac"] = {"url": "http://10.0.0.3:8080/proxy.pac", "served": 1}
    page.open()
    page.until_text("http://10.0.0.3:8080/proxy.pac, served 1 time")


def test_a_stream_that_ends_is_begun_again(page: Page, node: FakeNode) -> None:
    """The node was restarted: what it says then is shown."""
    page.open()
    node.hang_up()
    node.status = documents.status(documents.group("backup"))
    page.until(lambda: page.text(".panel .role") == "BACKUP")


def test_what_has_happened_while_nobody_was_heard_is_asked_for(page: Page, node: FakeNode) -> None:
    """By a page that comes back: its history has no hole, or ends where the hole would be."""
    node.history = [documents.event(number, 9000 - number, "backup", "master") for number in range(3, 0, -1)]
    page.open()
    page.until(lambda: page.numbers() == [3, 2, 1])
    node.history = [documents.event(number, 9000 - number, "backup", "master") for number in range(5, 0, -1)]
    node.hang_up()
    page.until(lambda: page.numbers() == [5, 4, 3, 2, 1])
    node.history = [documents.event(number, 9000 - number, "backup", "master") for number in range(90, 0, -1)]
    page.press("[data-action=refresh]")
    page.until(lambda: page.numbers() == [*range(90, 40, -1)])
    page.press("[data-action=older]")
    page.until(lambda: page.numbers() == [*range(90, 0, -1)] and not page.has("[data-action=older]"))


def test_a_session_that_has_ended_is_told(page: Page, node: FakeNode) -> None:
    """Grey, with a link to the login; no endless tries that look like a broken network."""
    page.statuses_expected = {401}
    page.open()
    node.is_logged_in = False
    node.hang_up()
    page.until_text("logged out", "#connection")
    assert page.text("#connection a") == "Log in again"


def test_what_is_old_by_its_own_age_is_grey(page: Page, node: FakeNode) -> None:
    """The node lives, but a value of it has not been renewed for two of its intervals."""
    status = documents.status(documents.group())
    status["groups"][0]["service"]["age_s"] = 3.5
    status["health"]["tests"][-1]["age_s"] = 30.0
    status["groups"][0]["members"]["list"][0] |= {"is_fresh": False, "age_s": 9.0}
    node.status = status
    page.open()
    assert page.text(".panel:nth-child(2) .big") == "unknown"
    assert "last seen answering" in page.text(".panel:nth-child(2)")
    assert page.texts(".health tr:last-child td")[1] == "unknown, last passed"
    assert page.texts(".members tr:last-child td")[3].split() == ["UNKNOWN", "last", "seen", "BACKUP"]


def test_what_comes_from_the_network_is_shown_as_text(page: Page, node: FakeNode) -> None:
    """In every text of the document, the history and the configuration."""
    node.status = hostile(documents.lost(documents.status(documents.group())))
    node.history = [hostile(each) for each in documents.history()]
    node.configuration = hostile(documents.configuration(documents.form(), changes=["one"], diff="+one"))
    page.open()
    page.until(lambda: HOSTILE in page.text(".history"))
    for place in (".warnings", ".groups", ".members", ".health", ".pending-bar", "#node", ".panel"):
        assert HOSTILE in page.text(place), place
    assert not page.has("main img, main script, header img")
    assert HOSTILE in page.browser.title


def hostile(value: Any, key: str = "") -> Any:
    """The same document, with such a text in place of each text that may be any."""
    kept = {"state", "at", "since", "from", "to", "failover_handling", "interface", "security", "until", "life"}
    if isinstance(value, dict):
        return {name: hostile(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [hostile(each, key) for each in value]
    return HOSTILE if isinstance(value, str) and key not in kept else value


def test_a_node_of_an_earlier_version_is_shown_as_well(page: Page, node: FakeNode) -> None:
    """Keys that were added later are absent."""
    status = copy.deepcopy(node.status)
    for name in ("history", "notify", "admin", "maintenance", "demoted_by_operator", "guardian"):
        del status[name]
    for name in ("service", "last_outage", "preemption", "demoted_by", "virtual_mac", "members"):
        del status["groups"][0][name]
    node.status = status
    page.open()
    assert page.text(".panel .role") == "MASTER"
    assert page.texts(".panel .big")[1:] == ["unknown", "unknown"]


def test_a_state_that_is_not_known_is_shown_as_unknown(page: Page, node: FakeNode) -> None:
    """A node of a later version may have more states; nothing of the page breaks by it."""
    node.status["groups"][0]["state"] = "fault"
    node.status["groups"][0]["reason"] = "a_reason_of_its_own"
    page.open()
    assert page.text(".panel .role") == "UNKNOWN"
    assert "a reason of its own" in page.text(".groups")


def test_several_groups_are_summarised(page: Page, node: FakeNode) -> None:
    """The big words name the groups of each role."""
    node.status = documents.status(documents.group(), documents.group("backup", 2), documents.group("backup", 3))
    page.open()
    words = [each.split() for each in page.texts(".panel:first-child .big")]
    assert words == [["MASTER", "group", "1"], ["BACKUP", "group", "2,", "group", "3"]]
    assert page.browser.title.startswith("MASTER + BACKUP a")


def test_a_standby_that_is_not_known_is_not_shown_as_one(page: Page, node: FakeNode) -> None:
    """A group that has just begun has heard nobody: its master is no standby of itself."""
    begun = documents.group(vhid=2)
    begun["members"] = documents.members()
    begun["members"]["redundancy"]["healthy_standbys"] = 0
    node.status = documents.status(documents.group(), begun)
    page.open()
    assert page.texts(".panel:nth-child(3) p") == ["1 of 1 healthy", "no standby was heard yet"]
    assert not page.has(".panel:nth-child(3) .good")


def test_without_a_shared_secret_nothing_is_known_of_the_others(page: Page, node: FakeNode) -> None:
    """Neither whether there is a standby, nor to whom the group could be switched."""
    alone = documents.group()
    redundancy = {"healthy_standbys": None, "lost_s": None, "why": None}
    alone["members"] = {"reports": "no shared_secret", "redundancy": redundancy, "findings": [], "list": []}
    node.status = documents.status(alone)
    page.open()
    told = ["unknown", "without a Shared Secret the nodes tell each other nothing"]
    assert page.texts(".panel:nth-child(3) p") == told
    assert "the nodes of group 1 do not report to each other" in page.shown()
    page.press("[data-action=switch]")
    assert page.text("dialog .why-not") == "without a Shared Secret the nodes cannot agree on a switch"


def test_the_empty_state_says_what_to_do(page: Page, node: FakeNode) -> None:
    node.status, node.configuration = documents.status(), documents.configuration()
    page.open()
    assert "No failover group yet" in page.text(".empty")
    assert "wsa-proxy doctor" in page.text(".empty")


def test_a_node_that_renews_itself_leaves_the_focus_where_it_is(page: Page, node: FakeNode) -> None:
    """Each second everything is shown anew; whoever uses the keyboard must not notice."""
    page.open()
    page.run("document.querySelector('[data-action=drill]').focus()")
    for state in ("backup", "master", "backup"):
        node.tell(documents.status(documents.group(state)))
        page.until(lambda state=state: page.text(".panel .role") == state.upper())  # type: ignore[misc]
    assert page.focused() == "Drill..."


def test_the_timeline_is_read_with_the_keyboard(page: Page, node: FakeNode) -> None:
    """One stretch for each role that it had; the arrow keys go from one to the next, and its story is told."""
    node.history = documents.history(datetime.now(UTC))
    page.open()
    page.until(lambda: page.has(".stretch[data-key=event-5]"))
    roles = page.run("return [...document.querySelectorAll('.stretch')].map((each) => each.classList[1])")
    assert roles == ["master", "init", "backup", "master", "backup", "master"]
    page.run("document.querySelector('.stretch[tabindex=\"0\"]').focus()")
    assert "node b died, and this node took over" in page.text("#timeline-detail")
    page.keys(Keys.ARROW_LEFT)
    assert "switched to node b" in page.text("#timeline-detail")
    node.tell()
    assert "switched to node b" in page.text("#timeline-detail")


def test_the_timeline_knows_when_the_node_was_not_there(page: Page, node: FakeNode) -> None:
    """Stopped in order: unknown until it started. Ended without a word: told so, and nobody knows when."""
    node.status = documents.status(documents.group("backup"))
    node.history = documents.history_of_backup(datetime.now(UTC))
    page.open()
    page.until(lambda: page.has(".stretch[data-key=event-5]"))
    script = "return [...document.querySelectorAll('.stretch')].map((each) => each.getAttribute('class'))"
    assert page.run(script) == [
        f"stretch {role}" for role in ("backup", "master", "backup", "unknown", "init", "backup")
    ]
    node.happen(documents.event(6, 0, "", "started", datetime.now(UTC), group=0, sentence="Node b has started."))
    page.until(lambda: page.has(".stretch.backup.unsure[data-key=event-5]"))
    assert "ended at some time before" in str(page.attribute(".stretch.unsure", "aria-label"))


def test_before_the_first_start_nothing_is_known(page: Page, node: FakeNode) -> None:
    node.history = [documents.event(1, 60, "", "started", datetime.now(UTC), group=0, sentence="Node a has started.")]
    page.open()
    page.until(lambda: page.has(".stretch[data-key=event-1]"))
    script = "return [...document.querySelectorAll('.stretch')].map((each) => each.getAttribute('class'))"
    assert page.run(script) == ["stretch unknown", "stretch init"]


def test_older_events_are_shown_when_they_are_asked_for(page: Page, node: FakeNode) -> None:
    """Fifty at a time; what is known already is not shown twice."""
    node.history = [documents.event(number, 9000 - number, "backup", "master") for number in range(70, 0, -1)]
    page.open()
    page.until(lambda: len(page.texts(".history tbody tr")) == 50)
    page.press("[data-action=older]")
    page.until(lambda: len(page.texts(".history tbody tr")) == 70)
    assert not page.has("[data-action=older]")
    outage = {"ms_min": 3.0, "ms_max": 5.0, "how": "measured"}
    node.happen(documents.event(70, 0, "backup", "master", outage=outage))  # known some moments later
    page.until_text("3 to 5 ms", ".history tbody tr:first-child")
    assert len(page.texts(".history tbody tr")) == 70


def test_a_phone_has_cards_and_nothing_beside_the_screen(page: Page, node: FakeNode) -> None:
    """360 pixels wide; the longest names that there may be."""
    node.status = documents.lost(documents.status(documents.group()))
    node.status["groups"][0] |= {"hostname": "proxy." + "long" * 15 + ".example.com", "description": "w" * 200}
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.open()
        assert page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
        assert page.run("return getComputedStyle(document.querySelector('.groups tbody tr')).display") == "block"
        assert page.run("return getComputedStyle(document.querySelector('.groups td'), '::before').content") == (
            '"Failover Group ID"'
        )
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_note_is_no_warning(page: Page, node: FakeNode) -> None:
    """What is intended is said, and not counted; what is grave looks so."""
    node.status["maintenance"] = {"reason": "memory", "since": "", "until": documents.ago(-900), "left_s": 900.0}
    page.open()
    assert page.attribute(".warnings li", "class") == "note"
    assert page.text(".warnings strong").startswith("In maintenance until ")
    assert page.browser.title.startswith("MASTER")
    node.status["groups"][0]["obstacles"] = {"link": "eth0 is down"}
    node.tell()
    page.until(lambda: page.attribute(".warnings li", "class") == "bad")
    assert page.browser.title.startswith("(1) MASTER")


def test_warnings_stand_first_each_with_what_to_do(page: Page, node: FakeNode) -> None:
    node.status = documents.lost(documents.status(documents.group()))
    page.open()
    assert page.run("return document.querySelector('main').firstElementChild.className") == "warnings"
    told = node.status_with_warnings()["warnings"]
    assert len(told) == 3
    assert page.texts(".warnings .fix") == [each["fix"] for each in told]
    assert page.text(".warnings strong") == "Group 1: no healthy standby: b: last heard 194.1 s ago"
    assert page.browser.title.startswith("(3) MASTER")
    assert page.text(".panel:nth-child(3) .big") == "LOST"
