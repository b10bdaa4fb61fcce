#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# End what up.sh started: guests, dnsmasq and daemons share one PID namespace, whose first process
# up.sh recorded.
#
#   down.sh STATE [--purge]
#
# --purge also deletes STATE. Ending a lab that is not up is no error.
set -uo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

# lab_process PID: is it still the lab's, and not another process that got a recycled number?
lab_process() {
  [ -n "$1" ] && tr '\0' ' ' 2>/dev/null < "/proc/$1/cmdline" | grep -qF -- "$state"
}

# wait_for_end PID SECONDS
wait_for_end() {
  for _ in $(seq $(($2 * 20))); do
    lab_process "$1" || return 0
    sleep 0.05
  done
  return 1
}

purge=no
state=
for argument in "$@"; do
  if [ "$argument" = --purge ]; then purge=yes; else state=$argument; fi
done
[ -n "$state" ] || { echo "usage: down.sh STATE [--purge]" >&2; exit 2; }
state=$(cd "$state" 2>/dev/null && pwd) || exit 0

supervisor=$(cat "$state/unshare.pid" 2>/dev/null)
init=$(cat "$state/init.pid" 2>/dev/null)
if lab_process "$supervisor"; then
  lab_process "$init" && kill -TERM "$init"
  if ! wait_for_end "$supervisor" 3; then
    kill -KILL "$supervisor"
    wait_for_end "$supervisor" 2
  fi
fi
rm -f "$state"/{unshare.pid,init.pid,env}
[ $purge = no ] || rm -rf "$state"
