"""Commands of the pages that cannot be run by a test, each with the reason; blocks with them say ``elsewhere``.

Everything else in a shell block is run.
"""

from __future__ import annotations

ELSEWHERE = {
    "chromium": "opens a window; tests/browser drives it without one",
    "cp": "into the store of a real host's certificate authorities",
    "gsettings": "needs the session of a signed-in GNOME user",
    "make": "starts the lab or all the tests, which would start this one; that the target exists is looked at",
    "update-ca-certificates": "changes the store of a real host's certificate authorities",
}
"""By the first word of a command."""
