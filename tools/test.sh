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

# beside NAME COMMAND...: in the background; ``told NAME`` waits for it and shows what it has printed.
beside() {
    "${@:2}" >"$outputs/$1" 2>&1 &
    running[$1]=$!
}
told() {
    echo "test: $1"
    wait "${running[$1]}"
    statuses+=($?)
    unset "running[$1]"
    cat "$outputs/$1"
}
pytest() { .venv/bin/python -m pytest -o cache_dir=".pytest_cache/$1" "${@:2}"; }

statuses=()
echo "test: pytest; addons, pump, proxies, and what only reckons, run beside it and are told when they are done"
beside reckoning when_idle .venv/bin/python -m pytest -o cache_dir=.pytest_cache/reckoning $RECKONING "$@"
beside addons pytest addons $ADDONS "$@"
beside pump pytest pump $PUMP "$@"
beside proxies pytest proxies $PROXIES $(without $ADDONS) "$@"
pytest network $NETWORK "$@"
statuses+=($?)
pytest doctor $DOCTOR $(without $SLOW) "$@"
statuses+=($?)
told addons
told pump
told proxies
echo "test: faults; the rest of the lab runs beside them"
beside lab pytest lab $LAB $(without $PATIENT $FAULTS $SLOW) "$@"
pytest faults $FAULTS "$@"
statuses+=($?)
told lab
told reckoning
selected=
for status in "${statuses[@]}"; do
    [ "$status" -eq 0 ] || [ "$status" -eq "$NOTHING_SELECTED" ] || exit "$status"
    [ "$status" -eq "$NOTHING_SELECTED" ] || selected=1
done
[ -n "$selected" ] || exit "$NOTHING_SELECTED"
echo "test: nothing failed"
