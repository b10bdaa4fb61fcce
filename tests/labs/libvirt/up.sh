#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Start one private libvirt host (virtlogd and libvirtd) without systemd.
#
#   up.sh STATE
#
# The daemons live in mount, PID, UTS and network namespaces of their own. libvirt's system folders
# are bind mounts of STATE in there, so the machine's own libvirt, if any, is not touched and several
# labs can run side by side. Prints the URI and writes STATE/env for `source`; images for the driver go
# into STATE/images. Needs root.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
source "$here/packages.sh"

# libvirt's monitor sockets are named below STATE and a unix socket's path ends at 107 bytes.
longest_state_path=60

# Where libvirt keeps things, and the folder of STATE that stands in for it.
system_folders=(etc:/etc/libvirt lib:/var/lib/libvirt run:/run/libvirt log:/var/log/libvirt cache:/var/cache/libvirt)

fail() {
  echo "up.sh: $*" >&2
  exit 1
}

check_request() {
  [ "$(id -u)" = 0 ] || fail "must run as root: namespaces and bridges need it"
  [ ${#state} -le $longest_state_path ] || fail "the state path is longer than $longest_state_path bytes: $state"
  if [ -s "$state/unshare.pid" ] && kill -0 "$(cat "$state/unshare.pid")" 2>/dev/null; then
    fail "already up: $state"
  fi
}

make_folders() {
  mkdir -p "$state"/{etc,lib,run,log,cache,pool,images}
  rm -rf "${state:?}"/run/*
  chmod 711 "$state" "$state"/{lib,run,pool}
  for pair in "${system_folders[@]}"; do mkdir -p "${pair#*:}"; done
  if [ -d /etc/libvirt/nwfilter ] && [ ! -d "$state/etc/nwfilter" ]; then
    cp -a /etc/libvirt/nwfilter "$state/etc/"
  fi
}

write_configuration() {
  [ -s "$state/host-uuid" ] || cat /proc/sys/kernel/random/uuid > "$state/host-uuid"
  cat > "$state/etc/libvirtd.conf" <<END
host_uuid = "$(cat "$state/host-uuid")"
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_rw_perms = "0700"
listen_tls = 0
listen_tcp = 0
log_outputs = "3:file:$state/log/libvirtd.log"
END
  cat > "$state/etc/qemu.conf" <<END
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
stdio_handler = "logd"
namespaces = [ "mount" ]
cgroup_controllers = [ ]
vnc_listen = "127.0.0.1"
END
  echo 'log_outputs = "3:stderr"' > "$state/etc/virtlogd.conf"
}

# Debian's libvirtd refuses to start without the user libvirt-qemu, which only the package with the
# systemd units creates. It is given to this host alone, by a passwd file of its own.
write_accounts() {
  cp /etc/passwd "$state/passwd"
  cp /etc/group "$state/group"
  grep -q ^libvirt-qemu: "$state/passwd" ||
    echo 'libvirt-qemu:x:64055:64055:Libvirt Qemu:/var/lib/libvirt:/usr/sbin/nologin' >> "$state/passwd"
  grep -q ^libvirt-qemu: "$state/group" || echo 'libvirt-qemu:x:64055:' >> "$state/group"
}

# One init process starts the daemons and reaps orphans. It has a PID namespace of its own because
# libvirt waits for a killed QEMU until the zombie is gone, which a slow PID 1 makes slow; and because
# ending that one process ends all that ran under it.
start_daemons() {
  local arguments=("$state")
  for pair in "${system_folders[@]}"; do arguments+=("$state/${pair%%:*}:${pair#*:}"); done
  arguments+=("$state/passwd:/etc/passwd" "$state/group:/etc/group")
  setsid unshare --mount --uts --pid --net --fork --kill-child --mount-proc --propagation private \
    bash "$here/host-init.sh" "${arguments[@]}" </dev/null >"$state/log/init.log" 2>&1 &
  echo $! > "$state/unshare.pid"
}

wait_for_libvirtd() {
  local supervisor
  supervisor=$(cat "$state/unshare.pid")
  for _ in $(seq 400); do
    virsh -q -c "$uri" version >/dev/null 2>&1 && return
    kill -0 "$supervisor" 2>/dev/null || break
    sleep 0.05
  done
  cat "$state"/log/{init.log,libvirtd.out,libvirtd.log} >&2 || true
  fail "libvirtd did not answer at $uri"
}

define_pool() {
  if ! virsh -q -c "$uri" pool-info default >/dev/null 2>&1; then
    virsh -q -c "$uri" pool-define-as default dir --target "$state/pool" >/dev/null
    virsh -q -c "$uri" pool-autostart default >/dev/null
  fi
  virsh -q -c "$uri" pool-list | grep -qw default || virsh -q -c "$uri" pool-start default >/dev/null
}

write_environment() {
  local supervisor init
  supervisor=$(cat "$state/unshare.pid")
  init=$(tr -d ' ' < "/proc/$supervisor/task/$supervisor/children")
  echo "$init" > "$state/init.pid"
  cat > "$state/env" <<END
export LIBVIRT_DEFAULT_URI='$uri'
export LIBVIRT_LAB_ENTER='nsenter -t $init -n'
export STRATOPLANE_LIBVIRT_URI='$uri'
export STRATOPLANE_LIBVIRT_IMAGE_FOLDER='$state/images'
END
}

[ $# = 1 ] || fail "usage: up.sh STATE"
mkdir -p "$1"
state=$(cd "$1" && pwd)
uri="qemu+unix:///system?socket=$state/run/libvirt-sock"
check_request
install_missing "${libvirt_packages[@]}"
make_folders
write_configuration
write_accounts
start_daemons
wait_for_libvirtd
define_pool
write_environment
echo "$uri"
