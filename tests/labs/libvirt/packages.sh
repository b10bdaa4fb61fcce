# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian packages of the lab, to be sourced.

# What runs the host.
libvirt_packages=(
  libvirt-daemon libvirt-daemon-driver-qemu libvirt-daemon-config-nwfilter libvirt-clients
  qemu-system-x86 qemu-utils dnsmasq-base iproute2 iptables ebtables
)

# What builds the image.
image_packages=(busybox-static cpio mtools syslinux syslinux-common dosfstools qemu-utils binutils)

# What builds libvirt-python, which has no wheel.
python_packages=(libvirt-dev pkg-config gcc python3-dev)

# install_missing PACKAGE...: install those that are not there; no network is used when all are.
install_missing() {
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  apt-get -o DPkg::Lock::Timeout=900 -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=900 -y -qq install \
    --no-install-recommends "${missing[@]}" >/dev/null
}
