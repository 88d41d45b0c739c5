#!/usr/bin/env bash
# Makes this mount namespace a host on which nobody has installed anything yet, says "ready" and sleeps: /etc is a copy,
# /opt, /usr/local/bin and /var/lib can be written to, and nothing of that reaches the machine. The checkout is read-only.
set -euo pipefail
name=$1 folder=$2 checkout=$3

# What DIRECTORY holds stays to be seen; what is written there stays here.
cover() {
    local directory=$1 old=$folder/old$1 entry
    mkdir -p "$old"
    mount --rbind "$directory" "$old"
    mount -t tmpfs host "$directory"
    for entry in "$old"/*; do
        local place=$directory/${entry##*/}
        if [ -L "$entry" ]; then
            cp -d "$entry" "$place"
        elif [ -d "$entry" ]; then
            mkdir "$place" && mount --rbind "$entry" "$place"
        elif [ -f "$entry" ]; then
            touch "$place" && mount --bind "$entry" "$place"
        fi
    done
}

mount --make-rprivate /
hostname "$name"
mkdir -p "$folder/etc" "$folder/home"
cp -a /etc/. "$folder/etc" 2>/dev/null || true    # some of it only root may read
rm -rf "$folder/etc/wsa-proxy" "$folder/etc/hosts"
cp "$folder/../hosts" "$folder/etc/hosts"
mount --bind "$folder/etc" /etc
cover /opt
cover /usr/local/bin
cover /var/lib
mount --bind "$checkout" "$checkout"
mount -o remount,bind,ro "$checkout"
echo ready
exec sleep infinity
