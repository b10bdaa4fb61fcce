#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Test the libvirt driver, and the whole platform with it, on a real libvirt and QEMU.
#
#   run.sh [PYTEST-ARGUMENT...]
#
# Installs Debian packages that are missing, builds libvirt-python and a small image, starts the lab and
# the platform in temporary folders, runs the tests and takes everything down again. Needs root.
# VENV names the virtual environment (default .venv of the repository).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
cd "$root"
source "$here/packages.sh"
venv=${VENV:-$root/.venv}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stratoplane/libvirt-lab
lab=
state=

say() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

take_down() {
  local code=$?
  trap - EXIT
  say "taking everything down"
  if [ -n "$state" ]; then
    [ "$code" = 0 ] || show_logs
    "$venv/bin/stratoplane-server" down --state "$state" || true
    rm -rf "$state"
  fi
  [ -z "$lab" ] || "$here/down.sh" "$lab" --purge
  say "done, exit code $code"
  exit "$code"
}

show_logs() {
  local log
  for log in "$state"/log*/*.log "$lab"/log/libvirtd.log; do
    [ ! -s "$log" ] || printf '\n-- the end of %s\n%s\n' "$log" "$(tail -n 25 "$log")"
  done
}

# The image is built again when what it is made of changed.
provide_image() {
  mkdir -p "$cache"
  if [ ! -s "$cache/tiny.qcow2" ] || [ -n "$(find "$here/make-image.sh" "$here/guest" -newer "$cache/tiny.qcow2")" ]; then
    "$here/make-image.sh" "$cache"
  fi
  cp "$cache/tiny.qcow2" "$lab/images/"
}

# free_ports COUNT
free_ports() {
  "$venv/bin/python" - "$1" <<'END'
import socket
import sys

sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(each.getsockname()[1] for each in sockets))
END
}

start_platform() {
  local api agent
  read -r api agent < <(free_ports 2)
  state=$(mktemp -d /tmp/stratoplane-lab.XXXXXX)
  export STRATOPLANE_STATE=$state STRATOPLANE_API_LISTEN=127.0.0.1:$api STRATOPLANE_AGENT_LISTEN=127.0.0.1:$agent
  export STRATOPLANE_LIBVIRT_DOMAIN_TYPE=qemu STRATOPLANE_LIBVIRT_SHUTDOWN_GRACE=60
  "$venv/bin/stratoplane-server" up --detach --driver libvirt
}

[ "$(id -u)" = 0 ] || { echo "run.sh: must run as root: namespaces, bridges and packages need it" >&2; exit 1; }
trap take_down EXIT
trap 'exit 130' INT TERM

say "Debian packages"
install_missing "${libvirt_packages[@]}" "${image_packages[@]}" "${python_packages[@]}"
say "libvirt-python"
make --no-print-directory VENV="$venv" "$venv/.installed-libvirt"
say "libvirt"
lab=$(mktemp -d /tmp/splab.XXXXXX)
"$here/up.sh" "$lab"
source "$lab/env"
export LIBVIRT_LAB_REQUIRED=yes
say "image"
provide_image
say "driver"
"$venv/bin/python" -m pytest -n 2 --dist loadscope "$root/drivers/libvirt/tests" "$@"
say "platform"
start_platform
say "main job"
"$venv/bin/python" -m pytest "$here/test_main_job.py" "$@"
