# Debian packages: what EVM's drivers need, and what builds the micro guest.

packages=(
  qemu-system-x86 qemu-utils                    # virtual machines and their disks
  libvirt-daemon-system libvirt-clients         # who starts them; virsh for the tests' own eyes
  docker.io iptables                            # containers and their networks
  genisoimage                                   # cloud-init seeds
  busybox-static cpio e2fsprogs                 # the micro guest and the container image
  tini                                          # reaps orphans where PID 1 does it late
  faketime                                      # a wall clock that the chaos tests can set
  iproute2 dnsmasq-base                         # networks of guests
  ca-certificates git procps util-linux         # set-up and checks
)

machine_suits() { [ "$(uname -sm)" = "Linux x86_64" ] && grep -qx ID=debian /etc/os-release; }

machine_by_hand() {
  echo "This script knows Debian 12 and newer on x86-64. Elsewhere install by your own means what"
  echo "these Debian packages hold: ${packages[*]};"
  echo "nats-server $nats_oldest or newer, ${toolchain_packages[*]} (from npm), and then run"
  echo "\`pnpm install\`. The tests that need a guest skip themselves without tools/guest."
}

packages_missing() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' | sed -n 's/^installed //p')
  comm -23 <(printf '%s\n' "${packages[@]}" | sort) <(sort <<<"$installed")
}

packages_present() { [ -z "$(packages_missing)" ]; }

install_packages() {
  local missing
  mapfile -t missing < <(packages_missing)
  # A foreign repository that cannot be reached shall not stop the set-up: the install tells.
  apt-get update || echo "apt-get update failed: trying with the lists at hand"
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}

packages_by_hand() { echo "apt-get install --no-install-recommends $(packages_missing | xargs)"; }

# The Debian archive that this machine's own apt sources name: a mirror that it can reach. apt
# itself reads both spellings of its sources; it knows an archive's label once its lists are there.
debian_mirror() {
  mirror_of_lists || { apt-get update >&2 && mirror_of_lists; } ||
    { echo "apt's sources name no Debian archive" >&2; return 1; }
}

mirror_of_lists() {
  apt-get indextargets --format '$(LABEL) $(SITE)' | awk '$1 == "Debian" {print $2; found = 1; exit}
    END {exit !found}'
}
