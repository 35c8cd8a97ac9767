#!/bin/sh
# The first process of a node's machine: machine-init.sh FOLDER BINARIES, in namespaces of its own (mounts, network, processes).
# It gives the machine a /run, /var/lib and /var/log of its own and then only reaps; when it is killed, the kernel ends
# every process of the machine and removes its mounts and its network.
set -eu
folder=$1
binaries=$2

# Below /run the machine finds its folder and its programs, wherever they are outside. (-n: mount keeps no notes in /run.)
mkdir -p "$folder/run" "$folder/lib" "$folder/log"
mount -n -t tmpfs -o mode=0755 tmpfs "$folder/run"
mkdir "$folder/run/node" "$folder/run/bin" "$folder/run/lock" "$folder/run/settings"
mount -n --bind "$folder" "$folder/run/node"
mount -n --bind "$binaries" "$folder/run/bin"
mount -n --rbind "$folder/run" /run
mount --bind /run/node/lib /var/lib
mount --bind /run/node/log /var/log

# The kubelet sets these for the whole machine; here it sets copies.
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy=/run/settings/$(basename "$setting")
  cat "/proc/sys/$setting" >"$copy"
  mount --bind "$copy" "/proc/sys/$setting"
done

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward # of this network only
: >/run/node/is-on
while :; do sleep 3600; done
