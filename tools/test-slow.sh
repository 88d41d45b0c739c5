#!/usr/bin/env bash
# The tests of tools/slow-tests.txt: files, and single tests of files. Milliseconds count in them, and a machine may be
# busy with something else: what has failed is judged once more, alone, as in test.sh, and is named, since it may be a
# race as well. Arguments go to pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

SLOW=$(<tools/slow-tests.txt)
FAILED=1   # pytest's exit status when tests have failed

.venv/bin/python -m pytest -o cache_dir=.pytest_cache/slow $SLOW "$@"
status=$?
[ "$status" -eq "$FAILED" ] || exit "$status"
echo "test-slow: what has failed is judged alone; if it passes now, look for the race"
exec .venv/bin/python -m pytest -o cache_dir=.pytest_cache/slow --last-failed --last-failed-no-failures=none $SLOW "$@"
