"""What errors of sending do to a node: demotion after three, an end of it, and the moment to leave."""

from __future__ import annotations

import math

from wsa_proxy.carp.send_errors import RECOVERY_S
from wsa_proxy.carp.send_errors import RECOVERY_S_MAX
from wsa_proxy.carp.send_errors import SendErrors

T = 1.0


def failing(count: int, errors: SendErrors, now: float = 0.0) -> SendErrors:
    for _ in range(count):
        errors.failed(now)
    return errors


def test_three_in_a_row_demote() -> None:
    """FreeBSD's CARP_SENDAD_MAX_ERRORS; one that was sent between them starts the count anew."""
    errors = failing(2, SendErrors(T))
    errors.sent(0.0)
    assert failing(2, errors).demotion == 0
    assert failing(1, errors).demotion == 1 and failing(9, errors).demotion == 1


def test_three_in_a_row_that_were_sent_take_it_back() -> None:
    """FreeBSD's CARP_SENDAD_MIN_SUCCESS; an error between them starts the count anew."""
    errors = failing(3, SendErrors(T))
    for _ in range(2):
        errors.sent(0.0)
    errors.failed(0.0)
    for _ in range(2):
        errors.sent(0.0)
    assert errors.demotion == 1
    errors.sent(0.0)
    assert errors.demotion == 0 and errors.recovers_at_s == math.inf


def test_a_backup_recovers_after_a_while_that_doubles() -> None:
    """It cannot show that it is well; each vain try disturbs the node that serves. What was sent starts that anew."""
    errors, now, waits = SendErrors(T), 0.0, []
    for _ in range(8):
        failing(3, errors, now).left()
        errors.recover(errors.recovers_at_s - 0.01)
        assert errors.demotion == 1
        waits.append(errors.recovers_at_s - now)
        now = errors.recovers_at_s
        errors.recover(now)
        assert errors.demotion == 0 and errors.recovers_at_s == math.inf
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300] and (RECOVERY_S, RECOVERY_S_MAX) == (5, 300)
    for _ in range(3):
        errors.sent(now)
    assert failing(3, errors, now).recovers_at_s == now + RECOVERY_S


def test_the_moment_to_leave() -> None:
    """2.5 intervals after the last one that was sent: the others' patience is three. Later errors put nothing off."""
    errors = SendErrors(T)
    errors.sent(10.0)
    assert errors.unheard_at_s == math.inf and not errors.failing
    errors.failed(11.0)
    errors.failed(12.0)
    assert errors.unheard_at_s == 12.5 and errors.failing
    errors.sent(12.4)
    assert errors.unheard_at_s == math.inf and not errors.failing


def test_nobody_waits_for_a_new_master() -> None:
    """Its first error counts from there; what an earlier time as master left is forgotten."""
    errors = SendErrors(T)
    errors.sent(10.0)
    errors.failed(11.0)
    errors.left()
    assert errors.unheard_at_s == math.inf and not errors.failing
    errors.failed(100.0)
    assert errors.unheard_at_s == 102.5


def test_a_slow_master_has_one_interval() -> None:
    """A demoted node's last advertisement may be nearly two intervals ago when the first one fails."""
    errors = SendErrors(T)
    errors.sent(10.0)
    errors.failed(11.95)
    assert errors.unheard_at_s == 12.95
