#!/usr/bin/env bash
# Makes the environment: .venv, with mitmdump and wsa-proxy in its bin, every package at the pinned version.
#
#   tools/setup.sh            make or repair .venv; does nothing, quickly, when it is as it should be
#   tools/setup.sh --which    only name the Python that a new .venv would be made with
#
# The Python is looked for in: $PYTHON, the names on PATH, pyenv's versions, uv's. A candidate counts if it really
# runs (a pyenv shim may only complain), is 3.12 or newer, and can make an environment. The minor version named in
# .python-version is preferred, then the newest that the pinned packages are known for.
set -euo pipefail
cd "$(dirname "$0")/.."

LOCK=requirements.lock
VENV=.venv
STAMP=$VENV/.complete            # written last, so an interrupted setup is begun anew
OLDEST_MINOR=12                  # requires-python in pyproject.toml
NEWEST_MINOR_KNOWN=14            # the pinned packages have wheels up to this one; newer ones are a last resort

say() { printf 'setup: %s\n' "$*" >&2; }

# One line: "MINOR MICRO FULL_VERSION MISSING EXECUTABLE"; MISSING names the modules without which venv cannot work, or
# is "-". EXECUTABLE is what a shim really starts.
PROBE='
import sys
missing = []
for name in ("venv", "ensurepip"):
    try:
        __import__(name)
    except ImportError:
        missing.append(name)
v = sys.version_info
minor = v[1] if v[0] == 3 and v[3] == "final" else 0
print(minor, v[2], sys.version.split()[0], ",".join(missing) or "-", sys.executable)
'

candidates() {
    local minor name path
    [ -z "${PYTHON:-}" ] || echo "$PYTHON"
    for minor in 15 14 13 12; do echo "python3.$minor"; done
    # Every python3 on PATH, not only the first: a shim may hide a good one.
    while IFS= read -r path; do echo "$path"; done < <(type -aP python3 || true)
    for path in "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/*/bin/python3; do
        [ ! -x "$path" ] || echo "$path"
    done
    if type -P uv >/dev/null; then
        for name in 3.13 3.14 3.12; do
            uv python find --no-python-downloads --no-project "$name" 2>/dev/null || true
        done
    fi
}

seen=()       # what was looked at, and why it was not taken
no_venv=()    # minor versions that lack nothing but venv or ensurepip
best=
best_rank=-1
RANK_ASKED_FOR=1000000

judge() {     # judge CANDIDATE: becomes $best if it outranks the best so far
    local path answer minor micro version missing executable rank
    path=$(type -P "$1") || return 0
    if ! answer=$(timeout 20 "$path" -I -c "$PROBE" </dev/null 2>&1); then
        seen+=("$path: does not run: ${answer%%$'\n'*}")
        return 0
    fi
    answer=${answer##*$'\n'}    # whatever it complained about comes before
    read -r minor micro version missing executable <<<"$answer" || true
    if [ "${minor:-0}" -lt "$OLDEST_MINOR" ] 2>/dev/null; then
        seen+=("$path: is ${version:-no Python}, too old or not a final release")
        return 0
    fi
    if [ "$missing" != - ]; then
        seen+=("$path: is $version, but has no $missing")
        no_venv+=("$minor")
        return 0
    fi
    rank=$((minor * 100 + micro))
    [ "$minor" -gt "$NEWEST_MINOR_KNOWN" ] && rank=$micro
    [ "3.$minor" = "$preferred" ] && rank=$((rank + 100000))
    [ "$1" = "${PYTHON:-}" ] && rank=$RANK_ASKED_FOR
    if [ "$rank" -gt "$best_rank" ]; then
        best_rank=$rank best=$executable best_version=$version
    fi
}

find_python() {
    local candidate
    preferred=$(cut -d. -f1,2 .python-version 2>/dev/null | head -n 1 || true)
    while IFS= read -r candidate; do judge "$candidate"; done < <(candidates | awk '!known[$0]++')
    if [ -n "$best" ]; then
        if [ -n "${PYTHON:-}" ] && [ "$best_rank" -lt $RANK_ASKED_FOR ]; then
            say "PYTHON=$PYTHON cannot be used (it must run, be 3.$OLDEST_MINOR or newer, and have venv)"
        fi
        return 0
    fi
    say "no Python 3.$OLDEST_MINOR or newer that can make an environment was found. Looked at:"
    [ ${#seen[@]} -gt 0 ] || say "  nothing: no python3 on PATH, none under ${PYENV_ROOT:-~/.pyenv}/versions"
    for candidate in "${seen[@]}"; do say "  $candidate"; done
    say "Any one of these helps:"
    for candidate in "${no_venv[@]}"; do say "  apt-get install python3.$candidate-venv"; done
    say "  apt-get install python3 python3-venv     (Debian 13, Ubuntu 24.04 or newer)"
    say "  pyenv install ${preferred:-3.13}"
    say "  uv python install ${preferred:-3.13}"
    say "  make setup PYTHON=/path/to/python3"
    exit 1
}

# What .venv must have been made from. The folder is part of it: the scripts in bin name it, so a moved copy is stale.
wanted_stamp() { { pwd -P; cat "$LOCK" pyproject.toml tools/setup.sh; } | sha256sum | cut -d' ' -f1; }

is_complete() {
    [ "$(cat "$STAMP" 2>/dev/null)" = "$(wanted_stamp)" ] &&
        [ -x $VENV/bin/mitmdump ] && [ -x $VENV/bin/wsa-proxy ] && $VENV/bin/python -I -c '' 2>/dev/null
}

# pip's output becomes one line for each package, errors and retries; all of it is in the log.
show_progress() {
    awk -v log_file=$VENV/setup.log -v total="$(grep -o '^[a-z0-9-]*==' $LOCK | sort -u | wc -l)" '
        { print > log_file }
        /^(Collecting|Processing) / { sub(".*/", "", $2); printf "setup: %2d of %d: %s\n", ++count, total, $2 }
        /ERROR|Retrying/ { print }
        { fflush() }'
}

install() {
    # Settings of this machine that would put the packages elsewhere or refuse the checkout itself. Where packages
    # come from is left to the machine: the hashes say what is accepted.
    unset PYTHONPATH PYTHONHOME PIP_TARGET PIP_PREFIX PIP_ROOT PIP_CONSTRAINT PIP_REQUIREMENT PIP_NO_BINARY
    export PIP_USER=0 PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
    if [ ! -e $STAMP ] || ! $VENV/bin/python -I -c 'import pip' 2>/dev/null; then
        find_python
        say "making $VENV with Python $best_version ($best)"
        "$best" -I -m venv --clear $VENV
    fi
    rm -f $STAMP
    say "installing the packages of $LOCK"
    # Wheels only: a source distribution would fetch its build tools unpinned.
    if ! $VENV/bin/python -m pip install --progress-bar off --only-binary :all: --require-hashes -r $LOCK 2>&1 |
        show_progress; then
        say "pip could not install the packages; the whole story is in $VENV/setup.log"
        exit 1
    fi
    PIP_REQUIRE_HASHES=0 $VENV/bin/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
    wanted_stamp >$STAMP
    say "ready: $($VENV/bin/python --version), $($VENV/bin/mitmdump --version | head -n 1)"
}

if [ "${1:-}" = --which ]; then
    find_python
    echo "$best"
    exit 0
fi
exec 9<tools/setup.sh
flock 9          # `make run` and `make test` at once: the second waits, then finds everything done
if is_complete; then exit 0; fi
install
