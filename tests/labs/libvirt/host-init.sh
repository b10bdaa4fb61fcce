#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# The first process inside the lab's namespaces; started by up.sh, not directly.
#
#   host-init.sh STATE SOURCE:TARGET...
#
# Mounts each SOURCE over TARGET, starts virtlogd and libvirtd and reaps until it is told to end.
set -euo pipefail
state=$1
shift
for pair in "$@"; do mount --bind "${pair%%:*}" "${pair#*:}"; done
hostname stratoplane-lab
ip link set lo up

virtlogd -p /run/libvirt/virtlogd.pid >"$state/log/virtlogd.out" 2>&1 &
libvirtd -p /run/libvirt/libvirtd.pid >"$state/log/libvirtd.out" 2>&1 &
libvirtd=$!

trap 'kill "$libvirtd"; wait "$libvirtd" || true; exit 0' TERM
while kill -0 "$libvirtd" 2>/dev/null; do wait -n || true; done
exit 1
