"""``wsa-proxy status``: the status document of the running node, for a person or for a program, once or for as long as
it is wanted."""

from __future__ import annotations

import argparse
import json
import sys

from wsa_proxy.cli.asking import socket_path
from wsa_proxy.cli.asking import status_of
from wsa_proxy.cli.colours import shown_on
from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED
from wsa_proxy.cli.exit_status import WRONG


def status(options: argparse.Namespace) -> int:
    """Ask once, and answer whether all is well."""
    from wsa_proxy.status_text import is_well
    from wsa_proxy.status_text import status_text

    if options.watch:
        from wsa_proxy.cli.status_watch import watch

        watch(socket_path(options.file), as_json=options.json)
        return DONE
    document = status_of(options)
    if document is None:
        return FAILED
    print(json.dumps(document, indent=2) if options.json else shown_on(sys.stdout, status_text(document)))
    return DONE if is_well(document) else WRONG
