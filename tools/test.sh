#!/usr/bin/env bash
# All the tests, in two runs side by side. Most wait for real clocks: processes, kernels, leases. Those that only reckon
# run beside them, and only on processors that would be idle. They take some two minutes; until they are done, those run
# to which a moment more or less is nothing, and the lab with its real nodes comes last.
# Arguments go to both runs of pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

RECKONING="tests/carp tests/config tests/fuzz tests/simulation tests/test_*.py"
WAITING="tests/net tests/proxy tests/runtime tests/watch tests/bench tests/browser tests/interop tests/lab"
NOTHING_SELECTED=5   # pytest's exit status when -k or -m leaves nothing of one run
output=$(mktemp)
reckoning=
trap '[ -z "$reckoning" ] || kill "$reckoning" 2>/dev/null; rm -f "$output"' EXIT

# In a session of its own, which gets next to nothing while another one wants the processor (sched(7), autogroup), and
# within that, where the kernel has no autogroups, as a process that runs when nobody else does.
when_idle() {
    setsid --wait bash -c '
        echo 19 2>/dev/null >/proc/self/autogroup || true
        if chrt --idle 0 true 2>/dev/null; then exec chrt --idle 0 "$@"; else exec nice -n 19 "$@"; fi
    ' idle "$@"
}

for room in tests/*/; do
    if compgen -G "${room}test_*.py" >/dev/null && [[ " $RECKONING $WAITING " != *" ${room%/} "* ]]; then
        echo "test: ${room%/} is in neither list of tools/test.sh" >&2
        exit 2
    fi
done

echo "test: pytest; what only reckons runs beside it, and is told at the end"
when_idle .venv/bin/python -m pytest $RECKONING -o cache_dir=.pytest_cache/reckoning "$@" >"$output" 2>&1 &
reckoning=$!
.venv/bin/python -m pytest $WAITING "$@"
waiting_status=$?
echo "test: what only reckons"
wait "$reckoning"
reckoning_status=$?
reckoning=
cat "$output"
for status in "$waiting_status" "$reckoning_status"; do
    [ "$status" -eq 0 ] || [ "$status" -eq "$NOTHING_SELECTED" ] || exit "$status"
done
if [ "$waiting_status" -ne 0 ] && [ "$reckoning_status" -ne 0 ]; then exit "$NOTHING_SELECTED"; fi
echo "test: nothing failed"
