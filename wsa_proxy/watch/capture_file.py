"""Frames from a pcap or pcapng file, and protocol 112 into a pcap file that is good at every moment.

scapy knows the formats. What it reads may be anything: a file that is no capture is told at once, and one that is
damaged or cut further on is read up to there.
"""

from __future__ import annotations

import logging
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from typing import Any

from scapy.error import Scapy_Exception
from scapy.utils import RawPcapNgReader
from scapy.utils import RawPcapReader
from scapy.utils import RawPcapWriter

from wsa_proxy.config.source import printable
from wsa_proxy.watch.decode import LINKS
from wsa_proxy.watch.decode import Captured

SNAPLEN_BYTES = 65_535
FILE_MODE = 0o600
"""A captured advertisement can be replayed in plain CARP, and a short secret be guessed from it."""
_OUTGOING = 2  # pcapng epb_flags: outbound
_DAMAGE = (OSError, EOFError, ValueError, LookupError, ArithmeticError, MemoryError, struct.error, zlib.error)


class CaptureError(Exception):
    """The file cannot be used; the text says why and what would help."""


class CaptureReader:
    """One file, frame by frame. ``damage`` says afterwards where and why it could not be read to its end."""

    def __init__(self, path: Path, stream: IO[bytes] | None = None) -> None:
        """``stream`` is read instead of the file when given (standard input). Raises CaptureError."""
        self.damage = ""
        self._name = printable(str(path))
        self._complaints = _Complaints()
        try:
            opened: IO[bytes] = path.open("rb") if stream is None else stream
        except OSError as error:
            raise CaptureError(f"{self._name} cannot be read: {error.strerror}") from error
        try:
            with self._complaints:
                reader: Any = RawPcapReader  # annotated as taking a name only; it takes a stream as well
                self._reader = reader(opened)
        except (Scapy_Exception, *_DAMAGE) as error:
            opened.close()
            if isinstance(error, IsADirectoryError):
                raise CaptureError(f"{self._name} is a folder, not a capture") from error
            text = f"{self._name} is no capture: a pcap or pcapng file is expected, as tcpdump -w and wireshark write"
            raise CaptureError(text) from error

    def __iter__(self) -> Iterator[Captured]:
        """Raises CaptureError for a link that is not understood."""
        number, at_s = 0, 0.0
        while (read := self._next()) is not None:
            number += 1
            captured = self._captured(*read, at_s)
            at_s = captured.at_s
            yield captured
        if self._complaints.heard:
            self.damage = f"{self._name} is damaged or cut at frame {number}; it was read up to there"

    def close(self) -> None:
        self._reader.close()

    def _next(self) -> tuple[bytes, Any] | None:
        """The next frame with what the file says about it; None at the end, and where the damage begins."""
        with self._complaints:
            try:
                frame, metadata = next(self._reader)
            except StopIteration:
                return None
            except (Scapy_Exception, *_DAMAGE):
                self._complaints.heard = True
                return None
            return frame, metadata

    def _captured(self, frame: bytes, metadata: Any, at_before_s: float) -> Captured:
        if isinstance(self._reader, RawPcapNgReader):
            link, interface = metadata.linktype, metadata.ifname or b""
            at_s = at_before_s  # a simple packet block has no time
            if metadata.tshigh is not None:
                at_s = (metadata.tshigh << 32 | metadata.tslow) / metadata.tsresol
            sent_here = metadata.direction == _OUTGOING
        else:
            link, interface, sent_here = self._reader.linktype & 0xFFFF, b"", False  # above: the length of an FCS
            at_s = metadata.sec + metadata.usec / (1e9 if self._reader.nano else 1e6)
        if link not in LINKS:
            text = f"{self._name}: link type {link} is not understood; Ethernet, linux cooked (-i any) and raw IP are"
            raise CaptureError(text)
        name = interface.decode(errors="replace")
        return Captured(at_s if math.isfinite(at_s) else 0.0, frame, link, name, sent_here, metadata.wirelen)


class CaptureWriter:
    """Writes frames as pcap. Each is in the kernel's hands when ``write`` returns, so a killed watch leaves them."""

    def __init__(self, path: Path, force: bool) -> None:
        """Makes the file. Raises CaptureError when it exists and may not be replaced."""
        self._name = printable(str(path))
        replace = os.O_TRUNC if force else os.O_EXCL
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | replace, FILE_MODE)
        except FileExistsError as error:
            raise CaptureError(f"{self._name} is there already; take another name, or --force to replace it") from error
        except OSError as error:
            raise CaptureError(f"{self._name} cannot be written: {error.strerror}") from error
        self._file = os.fdopen(descriptor, "wb")
        self._writer: RawPcapWriter | None = None
        self._link = -1

    def write(self, captured: Captured) -> None:
        """Raises CaptureError when the disk is full, or when the link is another one than before."""
        try:
            if self._writer is None:
                self._begin(captured.link)
            assert self._writer is not None
            if captured.link != self._link:
                raise CaptureError(f"{self._name}: a pcap file has one link type, {self._link}, and no {captured.link}")
            seconds, rest = divmod(max(captured.at_s, 0.0), 1.0)
            self._writer.write_packet(
                captured.frame,
                sec=int(seconds) & 0xFFFFFFFF,
                usec=int(rest * 1_000_000),
                caplen=len(captured.frame),
                wirelen=max(captured.length_bytes, len(captured.frame)),
            )
        except OSError as error:
            raise CaptureError(f"{self._name} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Without any frame it is an empty capture of Ethernet. Raises CaptureError."""
        try:
            if self._writer is None:
                self._begin(1)
            self._file.close()
        except OSError as error:
            raise CaptureError(f"{self._name} cannot be written: {error.strerror}") from error

    def _begin(self, link: int) -> None:
        self._link = link
        self._writer = RawPcapWriter(self._file, linktype=link, sync=True, snaplen=SNAPLEN_BYTES)
        self._writer.write_header(None)


class _Complaints(logging.Filter):
    """Whether scapy has complained about the file; its words are for programmers and stay off the terminal.

    It stands before scapy's own filter, which lets the fifth complaint of the same kind through to nobody.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard = False
        self._logger = logging.getLogger("scapy.runtime")
        self._level = logging.NOTSET

    def filter(self, record: logging.LogRecord) -> bool:
        self.heard = True
        return False

    def __enter__(self) -> None:
        self._level = self._logger.level
        self._logger.setLevel(logging.WARNING)
        self._logger.filters.insert(0, self)

    def __exit__(self, *_: object) -> None:
        self._logger.removeFilter(self)
        self._logger.setLevel(self._level)
