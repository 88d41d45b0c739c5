#!/usr/bin/env bash
# All the tests. Most wait for real clocks: processes, kernels, leases. So at first two runs wait side by side, proxies and
# the network, and beside them those that only reckon, on processors that would be idle. The lab with its real nodes, in
# which milliseconds count, comes last, when most of that is done.
# Arguments go to all runs of pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

RECKONING="tests/carp tests/config tests/fuzz tests/simulation tests/test_*.py"
PROXIES="tests/proxy"
NETWORK="tests/net tests/runtime tests/watch tests/browser tests/interop"
LAB="tests/bench tests/lab"
NOTHING_SELECTED=5   # pytest's exit status when -k or -m leaves nothing of one run
outputs=$(mktemp -d)
running=()
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
        [[ " $RECKONING $PROXIES $NETWORK $LAB " != *" ${room%/} "* ]]; then
        echo "test: ${room%/} is in no list of tools/test.sh" >&2
        exit 2
    fi
done

pytest() { .venv/bin/python -m pytest "$@"; }

echo "test: pytest; what only reckons, and proxies, run beside it and are told at the end"
when_idle .venv/bin/python -m pytest $RECKONING -o cache_dir=.pytest_cache/reckoning "$@" >"$outputs/reckoning" 2>&1 &
running+=($!)
pytest $PROXIES -o cache_dir=.pytest_cache/proxies "$@" >"$outputs/proxies" 2>&1 &
running+=($!)
pytest $NETWORK "$@"
statuses=($?)
echo "test: proxies"
wait "${running[1]}"
statuses+=($?)
cat "$outputs/proxies"
echo "test: the lab"
pytest $LAB -o cache_dir=.pytest_cache/lab "$@"
statuses+=($?)
echo "test: what only reckons"
wait "${running[0]}"
statuses+=($?)
running=()
cat "$outputs/reckoning"
selected=
for status in "${statuses[@]}"; do
    [ "$status" -eq 0 ] || [ "$status" -eq "$NOTHING_SELECTED" ] || exit "$status"
    [ "$status" -eq "$NOTHING_SELECTED" ] || selected=1
done
[ -n "$selected" ] || exit "$NOTHING_SELECTED"
echo "test: nothing failed"
