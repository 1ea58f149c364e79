# A nats-server that is new enough: atomic batches came with 2.12, and older servers ignore the
# request for one without a word (2.10 stores the messages one by one). Debian's stable releases
# ship older ones, so that the newest comes from the development archive, unpacked to tools/nats.
# apt checks its signature; the machine's own package lists and packages are not touched.

nats_oldest=2.12.0
nats=$tools/nats/nats-server

nats_present() {
  local version
  version=$("$nats" --version) || return 1
  dpkg --compare-versions "${version##*v}" ge "$nats_oldest"
}

install_nats() {
  local mirror suite
  mirror=$(debian_mirror)
  # The first suite that has one which is new enough; it is a static binary and runs on any release.
  for suite in sid trixie; do
    if unpack_nats "$mirror" "$suite" && nats_present; then return; fi
    echo "$suite offers no nats-server from $nats_oldest on"
  done
  return 1
}

unpack_nats() (
  mirror=$1 suite=$2
  scratch=$(mktemp -d "$tools/nats.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  cd "$scratch"
  mkdir -p lists/partial cache/archives/partial root "$(dirname "$nats")"
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb [signed-by=$keys] $mirror $suite main" >sources.list
  apt=(apt-get --quiet
    -o "Dir::Etc::sourcelist=$scratch/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache"
    -o Dir::State::status=/dev/null -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none)
  "${apt[@]}" update && "${apt[@]}" download nats-server &&
    dpkg-deb --extract nats-server_*.deb root && mv root/usr/sbin/nats-server "$nats"
)
