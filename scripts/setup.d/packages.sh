# Debian packages: what EVM's drivers need, and what builds the micro guest.

packages=(
  qemu-system-x86 qemu-utils                    # virtual machines and their disks
  libvirt-daemon-system libvirt-clients         # who starts them; virsh for the tests' own eyes
  docker.io iptables                            # containers and their networks
  genisoimage                                   # cloud-init seeds
  busybox-static cpio e2fsprogs zstd            # the micro guest and the container image
  tini                                          # reaps orphans where PID 1 does it late
  iproute2 dnsmasq-base                         # networks of guests
  ca-certificates curl procps util-linux        # set-up and tests
)

machine_suits() { [ "$(uname -sm)" = "Linux x86_64" ] && command -v dpkg-query apt-get; }

packages_missing() {
  local installed
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' | awk '$2 == "installed" {print $1}')
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) <(sort <<<"$installed")
}

packages_present() { [ -z "$(packages_missing)" ]; }

install_packages() {
  local missing
  mapfile -t missing < <(packages_missing)
  # A repository of somebody else that cannot be reached shall not stop the set-up: the install tells.
  apt-get update || echo "apt-get update failed: trying with the lists at hand"
  # The set-up starts the daemons itself, and only where no init system does.
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}

packages_by_hand() {
  echo "apt-get install --no-install-recommends" $(packages_missing)
}

# The Debian archive that this machine's own apt sources name: a mirror that is known to be reachable.
# apt itself reads both spellings of its sources; it knows an archive's label once its lists are there.
debian_mirror() {
  mirror_of_lists || { apt-get update >&2 && mirror_of_lists; } ||
    { echo "apt's sources name no Debian archive" >&2; return 1; }
}

mirror_of_lists() {
  apt-get indextargets --format '$(LABEL) $(SITE)' | awk '$1 == "Debian" {print $2; found = 1; exit}
    END {exit !found}'
}
