# The micro guest: a VM that boots in seconds even under emulation, for demonstrations and tests.
#
#   tools/guest/vmlinuz     Debian's kernel for clouds, unpacked from its package, not installed
#   tools/guest/initrd.img  busybox, the virtio modules and guest-init; not compressed, because
#                           unpacking costs an emulated CPU more than reading
#   tools/guest/disk.qcow2  64 MiB, an empty ext4 named evm-data, which the guest mounts at /data
#   tools/guest/cmdline     a kernel command line for it, for whoever describes the image
#
# The command line leaves out what costs an emulated CPU most and proves nothing about a guest that
# holds no secrets: timer checks, self-tests of ciphers, mitigations, address randomisation. A boot
# then takes about 2 s under emulation. It suits this guest alone: a real image has its own.

guest=$tools/guest
guest_cmdline="console=ttyS0 quiet panic=1 tsc=reliable no_timer_check cryptomgr.notests"
guest_cmdline+=" random.trust_cpu=on mitigations=off nokaslr"

# In the order in which they load: each after what it depends on.
guest_modules=(
  drivers/virtio/{virtio_ring,virtio,virtio_pci_modern_dev,virtio_pci_legacy_dev,virtio_pci}
  drivers/block/virtio_blk
  net/core/failover drivers/net/{net_failover,virtio_net}
  drivers/virtio/virtio_balloon drivers/char/virtio_console
  drivers/char/hw_random/{rng-core,virtio-rng}
  drivers/acpi/button drivers/input/evdev       # the power button: an orderly shutdown
  drivers/cdrom/cdrom fs/isofs/isofs            # the cloud-init seed
)

kernel_present() { [ -s "$guest/vmlinuz" ] && [ -d "$guest/kernel/lib/modules" ]; }

install_kernel() {
  local package scratch
  debian_mirror    # fetches apt's lists where there are none yet
  package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}')
  scratch=$(mktemp -d "$tools/kernel.XXXXXX")
  (cd "$scratch" && apt-get -o "APT::Sandbox::User=$(id -un)" download "$package")
  rm -rf "$guest/kernel"
  mkdir -p "$guest/kernel"
  dpkg-deb --extract "$scratch"/*.deb "$guest/kernel"
  rm -rf "$scratch"
  cp "$guest"/kernel/boot/vmlinuz-* "$guest/vmlinuz"
  echo "$guest_cmdline" >"$guest/cmdline"
}

# Built again when its recipe changes.
initrd_present() {
  [ "$guest/initrd.img" -nt "$repo/scripts/setup.d/guest-init" ] &&
    [ "$guest/initrd.img" -nt "$repo/scripts/setup.d/guest.sh" ]
}

build_initrd() {
  local root modules module number=10
  root=$(mktemp -d "$guest/root.XXXXXX")
  modules=$(echo "$guest"/kernel/lib/modules/*/kernel)
  mkdir -p "$root"/{bin,proc,sys,dev,tmp,modules,seed,data,etc/acpi/PWRF}
  install_busybox "$root/bin"
  for module in "${guest_modules[@]}"; do
    # Some releases build one of these into the kernel: then there is nothing to load.
    if grep -q "kernel/$module.ko" "$modules/../modules.builtin"; then continue; fi
    cp "$modules/$module.ko" "$root/modules/$((number++))-$(basename "$module").ko"
  done
  install -m 755 "$repo/scripts/setup.d/guest-init" "$root/init"
  script "$root/etc/acpi/PWRF/00000080" <<<'sync; poweroff -f'
  script "$root/bin/use-lease" <<'END'
    [ "$1" = bound ] || [ "$1" = renew ] || exit 0
    ip address replace "$ip/$mask" dev "$interface"
    [ -z "$router" ] || ip route replace default via "${router%% *}"
END
  (cd "$root" && find . | cpio --create --format=newc --owner=0:0 --quiet) >"$guest/initrd.new"
  rm -rf "$root"
  mv "$guest/initrd.new" "$guest/initrd.img"
}

script() { { echo '#!/bin/sh'; cat; } >"$1" && chmod 755 "$1"; }

# A static busybox with a link for each of its commands.
install_busybox() {
  local bin=$1 command
  cp "$(command -v busybox)" "$bin/busybox"
  for command in $(busybox --list); do
    [ "$command" = busybox ] || ln -s busybox "$bin/$command"
  done
}

disk_present() { [ -s "$guest/disk.qcow2" ]; }

build_disk() {
  truncate --size 64M "$guest/disk.raw"
  mke2fs -q -t ext4 -L evm-data "$guest/disk.raw"
  qemu-img convert -O qcow2 "$guest/disk.raw" "$guest/disk.new"
  rm "$guest/disk.raw"
  mv "$guest/disk.new" "$guest/disk.qcow2"
}
