#!/usr/bin/env bash
# The Debian packages that some tests need. Installed as root, with apt-get, and if CI=true or INSTALL=1 asks for it;
# otherwise this only says what is missing. Never fails: a test whose package is missing is reported as skipped, with
# the command that helps.
set -euo pipefail

say() { printf 'packages: %s\n' "$*"; }

# command:package
NEEDED="chromedriver:chromium-driver chromium:chromium curl:curl fish:fish ip:iproute2 keepalived:keepalived nft:nftables node:nodejs openssl:openssl promtool:prometheus ps:procps systemd-analyze:systemd tcpdump:tcpdump ucarp:ucarp unshare:util-linux wrk:wrk zsh:zsh"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin    # where an ordinary user's shell does not look

missing_packages() {
    local pair
    for pair in $NEEDED; do
        type -P "${pair%%:*}" >/dev/null || echo "${pair##*:}"
    done
}

install() {
    export DEBIAN_FRONTEND=noninteractive
    say "apt-get update"
    apt-get -q -o DPkg::Lock::Timeout=120 update || say "apt-get update failed; trying with the lists that are there"
    say "apt-get install $*"
    apt-get -q -y -o DPkg::Lock::Timeout=120 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
}

mapfile -t missing < <(missing_packages)
if [ ${#missing[@]} -eq 0 ]; then exit 0; fi
command="apt-get install --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -eq 0 ] && type -P apt-get >/dev/null && { [ "${CI:-}" = true ] || [ "${INSTALL:-}" = 1 ]; }; then
    # One line for each package: the rest of apt's output is a page of text per package.
    (set +e; install "${missing[@]}" </dev/null 2>&1; echo "status $?") |
        grep --line-buffered -E '^(packages:|Get:|Setting up|E:|W:|Err|status [^0])' || true
    mapfile -t missing < <(missing_packages)
fi
if [ ${#missing[@]} -gt 0 ]; then
    say "not installed: ${missing[*]}; the tests that need them are skipped"
    say "to install: $command     (or, as root: make test INSTALL=1)"
fi
