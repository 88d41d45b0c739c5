"""The verbs that need a file and no running node: run, check and cleanup."""

from __future__ import annotations

import argparse
import sys

from wsa_proxy.cli.exit_status import DONE
from wsa_proxy.cli.exit_status import FAILED


def run(options: argparse.Namespace) -> int:
    """Become mitmdump with the addon; its exit status is ours."""
    from mitmproxy.tools.main import mitmdump

    from wsa_proxy.resources import find

    sys.argv[0] = "wsa-proxy run"  # what mitmdump puts before its own messages
    addon = ["-s", str(find("addons/carp_failover.py")), "--set", f"failover_config={options.file}"]
    mitmdump([*addon, *options.mitmdump_options])
    return DONE


def check(options: argparse.Namespace) -> int:
    from wsa_proxy.config.check import check as check_file

    return check_file(options.file, as_json=options.json)


def cleanup(options: argparse.Namespace) -> int:
    """Nothing at all while the groups of the file are served."""
    from wsa_proxy.config import ConfigError
    from wsa_proxy.config import load
    from wsa_proxy.runtime.cleanup import clean_up

    try:
        lines = clean_up(load(options.file).settings)
    except ConfigError as error:
        print("\n".join(map(str, error.problems)), file=sys.stderr)
        return FAILED
    except OSError as error:
        print(f"wsa-proxy: {error.strerror or error}", file=sys.stderr)
        return FAILED
    print("\n".join(lines) or "nothing was left behind")
    return DONE
