#!/usr/bin/env bash
# All the tests but those of tools/slow-tests.txt, which `make test-slow` runs. Most wait for real clocks: processes,
# kernels, leases. So at first four runs wait side by side, and beside them those that only reckon, on processors that
# would be idle. The lab's faults, in which milliseconds count, come last, when most of that is done, in two runs: each of
# them mostly waits. Arguments go to all runs of pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

RECKONING="tests/admin tests/carp tests/config tests/fuzz tests/members tests/simulation tests/test_*.py"
ADDONS=$(echo tests/proxy/test_addon*.py)
SLOW=$(<tools/slow-tests.txt)
# Real nodes as well, but seconds are enough for these.
PATIENT="tests/lab/test_beside_vrrp.py tests/lab/test_drilling.py"
PATIENT+=" tests/lab/test_maintenance.py tests/lab/test_reloading.py tests/lab/test_two_groups.py"
PROXIES="tests/proxy $PATIENT"
DOCTOR="tests/doctor tests/browser"
PUMP="tests/runtime tests/docs"
NETWORK="tests/cli tests/init tests/net tests/watch tests/interop"
FAULTS="tests/lab/test_end_to_end.py tests/lab/test_end_to_end_addresses.py tests/lab/test_end_to_end_ailments.py"
LAB="tests/lab tests/bench"
NOTHING_SELECTED=5   # pytest's exit status when -k or -m leaves nothing of one run
outputs=$(mktemp -d)
declare -A running
trap '[ ${#running[@]} -eq 0 ] || kill "${running[@]}" 2>/dev/null; rm -rf "$outputs"' EXIT

# In a session of its own, which gets next to nothing while another one wants the processor (sched(7), autogroup), and
# within that, where the kernel has no autogroups, as a process that runs when nobody else does.
when_idle() {
    setsid --wait bash -c '
        echo 19 2>/dev/null >/proc/self/autogroup || true
        if chrt --idle 0 true 2>/dev/null; then exec chrt --idle 0 "$@"; else exec nice -n 19 "$@"; fi
    ' idle "$@"
}

for room in tests/*/; do
    if compgen -G "${room}test_*.py" >/dev/null &&
        [[ " $RECKONING $PROXIES $DOCTOR $PUMP $NETWORK $LAB " != *" ${room%/} "* ]]; then
        echo "test: ${room%/} is in no list of tools/test.sh" >&2
        exit 2
    fi
done

without() { printf -- '--ignore=%s ' "$@"; }

# Of each run: its paths, and pytest's exit status.
declare -A paths status
# beside NAME PATH...: in the background; ``told NAME`` waits for it and shows what it has printed.
beside() {
    paths[$1]="${*:2}"
    pytest "$1" >"$outputs/$1" 2>&1 &
    running[$1]=$!
}
told() {
    echo "test: $1"
    wait "${running[$1]}"
    status[$1]=$?
    unset "running[$1]"
    cat "$outputs/$1"
}
now() {
    paths[$1]="${*:2}"
    pytest "$1"
    status[$1]=$?
}
pytest() {
    local when=
    [ "$1" != reckoning ] || when=when_idle
    $when .venv/bin/python -m pytest -o cache_dir=".pytest_cache/$1" ${paths[$1]} "${flags[@]}"
}

flags=("$@")
echo "test: pytest; addons, pump, proxies, and what only reckons, run beside it and are told when they are done"
beside reckoning $RECKONING
beside addons $ADDONS
beside pump $PUMP
beside proxies $PROXIES $(without $ADDONS)
now network $NETWORK
now doctor $DOCTOR $(without $SLOW)
told addons
told pump
told proxies
echo "test: faults; the rest of the lab runs beside them"
beside lab $LAB $(without $PATIENT $FAULTS $SLOW)
now faults $FAULTS
told lab
told reckoning

# That they run side by side is for the sake of time. What fails there may have waited for the processor only: it is
# judged once more, alone, and fails if it fails again. It is named, since it may be a race as well.
selected=
for name in "${!status[@]}"; do
    if [ "${status[$name]}" -eq 1 ]; then
        echo "test: $name: what has failed beside the others is judged alone; if it passes now, look for the race"
        .venv/bin/python -m pytest -o cache_dir=".pytest_cache/$name" --last-failed --last-failed-no-failures=none \
            ${paths[$name]} "${flags[@]}"
        status[$name]=$?
    fi
    [ "${status[$name]}" -eq 0 ] || [ "${status[$name]}" -eq "$NOTHING_SELECTED" ] || exit "${status[$name]}"
    [ "${status[$name]}" -eq "$NOTHING_SELECTED" ] || selected=1
done
[ -n "$selected" ] || exit "$NOTHING_SELECTED"
echo "test: nothing failed"
