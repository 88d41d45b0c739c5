"""From a captured frame to what is known: decoded, judged, entered, and written if asked for. No terminal, no clock."""

from __future__ import annotations

from collections.abc import Sequence

from wsa_proxy.watch.capture_file import CaptureWriter
from wsa_proxy.watch.decode import Captured
from wsa_proxy.watch.decode import decode
from wsa_proxy.watch.findings import Finding
from wsa_proxy.watch.groups import WatchedGroup
from wsa_proxy.watch.judge import Judge
from wsa_proxy.watch.ledger import Ledger
from wsa_proxy.watch.ledger import Row
from wsa_proxy.watch.summary import sentences
from wsa_proxy.watch.view import Snapshot


class Session:
    """Everything from a captured frame to what is known: decoded, judged, entered, and written if asked for."""

    def __init__(
        self,
        where: str,
        groups: Sequence[WatchedGroup] | None,
        writer: CaptureWriter | None = None,
        count_max: int | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.unreadable = 0
        self.ended = False
        """It has been asked to end, or has seen enough."""
        self.began_s: float | None = None
        self._where = where
        self._groups = groups
        self._judge = Judge(groups)
        self._writer = writer
        self._count_max = count_max

    def take(self, captured: Captured) -> tuple[Row, list[Finding]] | None:
        """One frame. None when it is not of protocol 112. Raises CaptureError when it cannot be written."""
        heard = decode(captured)
        if self.began_s is None:
            self.began_s = captured.at_s
        if heard is None:
            self.unreadable += 1
            return None
        if self._writer is not None:
            self._writer.write(captured)
        entry = self.ledger.enter(heard, self._judge.opinion(heard))
        if self._count_max is not None and self.ledger.heard >= self._count_max:
            self.ended = True
        return entry

    def snapshot(self, now_s: float, notes: Sequence[str], size: tuple[int, int] | None, footer: str = "") -> Snapshot:
        """What is known now; for a terminal of that size, or for one without end."""
        began_s = now_s if self.began_s is None else self.began_s
        rows = self.ledger.rows
        senders = f"{len(rows)} sender{'' if len(rows) == 1 else 's'}"
        title = f"wsa-proxy watch  {self._where}  {self.ledger.heard} heard from {senders} in {now_s - began_s:.0f} s"
        if self.ledger.rows_dropped:
            notes = [*notes, f"too many senders: {self.ledger.rows_dropped} are no longer shown"]
        findings = self.ledger.findings.all()
        told = sentences(rows, self._groups, began_s, now_s)
        return Snapshot(title, rows, told, findings, notes, now_s, size, footer)
