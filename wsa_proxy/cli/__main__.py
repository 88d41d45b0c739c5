"""``python -m wsa_proxy.cli`` is ``wsa-proxy``, where that is not installed."""

from __future__ import annotations

import sys

from wsa_proxy.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
