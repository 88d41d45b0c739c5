"""``python -m wsa_proxy.lab FILE.py:FUNCTION``: calls the function inside fresh namespaces, prints its result as JSON.

The way for tests to run anything on the test track. What the function prints goes to stderr.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys

from wsa_proxy.lab import namespace


def main(arguments: list[str]) -> int:
    """Return the exit status: 0, or 1 when the function raised, or 77 when the kernel refused namespaces."""
    if len(arguments) != 1 or ":" not in arguments[0]:
        print(__doc__, file=sys.stderr)
        return 2
    file, _, name = arguments[0].rpartition(":")

    def work() -> int:
        with contextlib.redirect_stdout(sys.stderr):
            specification = importlib.util.spec_from_file_location("scenario", file)
            if specification is None or specification.loader is None:
                raise ImportError(f"{file} is not a Python file")
            module = importlib.util.module_from_spec(specification)
            sys.modules["scenario"] = module  # Dataclasses look their module up.
            specification.loader.exec_module(module)
            result = getattr(module, name)()
        print(json.dumps(result))
        return 0

    return namespace.run(work)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
