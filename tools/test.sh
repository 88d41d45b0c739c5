#!/usr/bin/env bash
# All the tests but those of tools/slow-tests.txt, which `make test-slow` runs. Most wait for real clocks: processes,
# kernels, leases. So several runs wait side by side, each as long as it takes, and beside them those that only reckon, on
# processors that would be idle. The lab's faults, in which milliseconds count, come last, when most of that is done; a
# client measures there what the machine itself costs. Arguments go to all runs of pytest.
set -uo pipefail
cd "$(dirname "$0")/.."

# Those that only reckon, in two runs: one has a simulated LAN, whose campaigns take all processors by themselves.
RECKONING="tests/admin tests/carp tests/config tests/fuzz tests/members tests/test_*.py"
TUNNEL="tests/simulation"
ADDONS=$(echo tests/proxy/test_addon*.py)
SLOW=$(<tools/slow-tests.txt)
# Real nodes as well, but seconds are enough for these.
PATIENT="tests/lab/test_beside_vrrp.py tests/lab/test_drilling.py"
PATIENT+=" tests/lab/test_maintenance.py tests/lab/test_reloading.py tests/lab/test_two_groups.py"
PROXIES="tests/proxy $PATIENT"
PAGES="tests/docs"
NETWORK="tests/net tests/interop"
PUMP="tests/runtime"
COMMANDS="tests/cli tests/init tests/watch"
DOCTOR="tests/doctor"
BROWSER="tests/browser"
MEASURING="tests/bench"
FAULTS="tests/lab/test_end_to_end.py"
AILMENTS="tests/lab/test_end_to_end_addresses.py tests/lab/test_end_to_end_ailments.py"
LAB="tests/lab"
SIDE_BY_SIDE=4
NOTHING_SELECTED=5   # pytest's exit status when -k or -m leaves nothing of one run
outputs=$(mktemp -d)
# Of each run: its paths, and pytest's exit status. By process: the runs that go on side by side, and when others wait.
declare -A paths=() status=() beside=() idle=()
trap 'kill "${!beside[@]}" "${!idle[@]}" 2>/dev/null; rm -rf "$outputs"' EXIT

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
        [[ " $RECKONING $TUNNEL $PROXIES $PAGES $NETWORK $PUMP $COMMANDS $DOCTOR $BROWSER $MEASURING $LAB " != \
            *" ${room%/} "* ]]; then
        echo "test: ${room%/} is in no list of tools/test.sh" >&2
        exit 2
    fi
done

# without PATH...: a file, or one test of a file as FILE::TEST.
without() {
    local each
    for each; do
        case $each in
            *::*) printf -- '--deselect=%s ' "$each" ;;
            *) printf -- '--ignore=%s ' "$each" ;;
        esac
    done
}

pytest() {
    local when=
    [ "$1" != idle ] || when=when_idle
    $when .venv/bin/python -m pytest -o cache_dir=".pytest_cache/$2" ${paths[$2]} "${flags[@]}"
}
# begin WHERE NAME PATH...: in the background; ``told WHERE`` waits for the first of these that ends, and shows what it
# has printed.
begin() {
    local -n processes=$1
    paths[$2]="${*:3}"
    pytest "$1" "$2" >"$outputs/$2" 2>&1 &
    processes[$!]=$2
}
told() {
    local -n processes=$1
    local process ended name
    wait -n -p process "${!processes[@]}"
    ended=$?
    name=${processes[$process]}
    echo "test: $name"
    cat "$outputs/$name"
    status[$name]=$ended
    unset "processes[$process]"
}
# at_most NUMBER: so many may still run side by side. next NAME PATH...: begins it as soon as there is room for it.
at_most() { while [ ${#beside[@]} -gt "$1" ]; do told beside; done; }
next() {
    at_most $((SIDE_BY_SIDE - 1))
    begin beside "$@"
}

flags=("$@")
echo "test: pytest; several runs side by side, each told when it is done"
begin idle reckoning $RECKONING
begin idle tunnel $TUNNEL
# The longest ones first, so that all end at about the same time.
next addons $ADDONS
next pages $PAGES
next measuring $MEASURING $(without $SLOW)
next network $NETWORK
next proxies $PROXIES $(without $ADDONS)
next pump $PUMP
next commands $COMMANDS
next doctor $DOCTOR
next browser $BROWSER $(without $SLOW)
at_most 0
echo "test: the faults, and the rest of the lab"
next lab $LAB $(without $PATIENT $FAULTS $AILMENTS $SLOW)
next faults $FAULTS
at_most 1
next ailments $AILMENTS
at_most 0
while [ ${#idle[@]} -gt 0 ]; do told idle; done

# That they run side by side is for the sake of time. What fails there may have waited for the processor only: it is
# judged once more, alone, and fails if it fails again. It is named, since it may be a race as well.
selected=
for name in "${!paths[@]}"; do
    : "${status[$name]:?test: nobody has waited for $name}"
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
