#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Build a small bootable guest from Debian packages only: syslinux on FAT, Debian's cloud kernel and
# a busybox initramfs with the files of guest/.
#
#   make-image.sh FOLDER    writes FOLDER/tiny.qcow2, keeps downloads in FOLDER/packages
#
# Needs root only to install missing packages: no loop device, no mount, no chroot.
set -euo pipefail
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "$0")" && pwd)
source "$here/packages.sh"

disk_kib=$((48 * 1024))
wanted_modules=(virtio_pci virtio_blk virtio_scsi sd_mod virtio_net virtio-rng virtio_balloon sr_mod ata_piix isofs button evdev)

kernel_package() {
  apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image/ {print $2; exit}'
}

download_kernel() {
  kernel=$(kernel_package)
  if [ -z "$kernel" ]; then
    apt-get -o DPkg::Lock::Timeout=900 -qq update
    kernel=$(kernel_package)
  fi
  mkdir -p "$folder/packages"
  compgen -G "$folder/packages/${kernel}_*.deb" >/dev/null ||
    (cd "$folder/packages" && apt-get -qq -o APT::Sandbox::User=root download "$kernel")
  dpkg -x "$folder/packages/${kernel}"_*.deb "$work/kernel"
}

module_file() {
  find "$work/kernel/lib/modules" -name "$1.ko*" | head -n1
}

# add_module NAME: copy a module after those it depends on, so that `order` can be loaded in turn.
# One that this kernel has built in has no file and is no error.
add_module() {
  local name=$1 file dependency
  file=$(module_file "$name")
  [ -n "$file" ] || return 0
  grep -qx "$name" "$work/order" && return 0
  for dependency in $(module_dependencies "$file"); do add_module "$dependency"; done
  cp "$file" "$root/lib/modules/$name.ko"
  echo "$name" >> "$work/order"
}

# module_dependencies FILE: their names as files have them; modinfo writes "_" where some have "-".
module_dependencies() {
  local name
  for name in $(objcopy -O binary --only-section=.modinfo "$1" /dev/stdout | tr '\0' '\n' | sed -n 's/^depends=//p' | tr , ' '); do
    [ -n "$(module_file "$name")" ] || name=${name//_/-}
    echo "$name"
  done
}

make_root() {
  root=$work/root
  mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,run,tmp,etc/acpi/PWRF,mnt,root,lib/modules}
  cp "$(command -v busybox)" "$root/bin/busybox"
  cp "$here/guest/init" "$root/init"
  cp "$here/guest/dhcp-event" "$root/etc/dhcp-event"
  cp "$here/guest/power-button" "$root/etc/acpi/PWRF/00000080"
  echo 'root:*:0:0:root:/root:/bin/sh' > "$root/etc/passwd"
  : > "$work/order"
  for module in "${wanted_modules[@]}"; do add_module "$module"; done
  cp "$work/order" "$root/lib/modules/order"
}

pack_root() {
  (cd "$root" && find . | sort | cpio --quiet -o -H newc -R 0:0 | gzip -9n) > "$work/initrd.gz"
}

make_disk() {
  cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
  mkfs.fat -C -F 16 -n TINY "$work/disk" "$disk_kib" >/dev/null
  mcopy -i "$work/disk" "$work/vmlinuz" "$work/initrd.gz" "$here/guest/syslinux.cfg" ::
  syslinux --install "$work/disk"
  qemu-img convert -c -f raw -O qcow2 "$work/disk" "$folder/tiny.qcow2.part"
  mv "$folder/tiny.qcow2.part" "$folder/tiny.qcow2"
}

[ $# = 1 ] || { echo "usage: make-image.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
install_missing "${image_packages[@]}"
download_kernel
make_root
pack_root
make_disk
echo "$folder/tiny.qcow2"
