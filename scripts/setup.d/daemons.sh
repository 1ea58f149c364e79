# Starts libvirtd, virtlogd and dockerd: by the init system where systemd is one, else by hand.
#
# A daemon that already answers is used as it is. What is started by hand keeps its process id, its
# settings and its log in /run/evm, outlives this script, and is stopped by `scripts/setup --stop`.
# The operator's own files below /etc are read, never written.

state=/run/evm

has_systemd() { [ "$(ps -p 1 -o comm=)" = systemd ]; }

libvirt_runs() {
  timeout 10 virsh --connect qemu:///system version && [ -S /run/libvirt/virtlogd-sock ]
}

libvirt_by_hand() {
  echo "run scripts/setup as root; or start libvirtd, and join the group libvirt to use it"
}

start_libvirt() {
  if has_systemd; then
    systemctl start virtlogd.socket libvirtd
    return
  fi
  mkdir -p "$state"
  pgrep -x virtlogd || start virtlogd virtlogd
  # 5 requests at a time, the default, would make a client with many calls in flight wait in line.
  with_settings /etc/libvirt/libvirtd.conf 'max_client_requests = 20' >"$state/libvirtd.conf"
  # QEMU runs as root, and nobody's files change hands: images below a checkout or a temporary
  # folder are readable only by who made them. Ownership is not remembered, or a host that was
  # killed could not start its VMs again. QEMU gets no /dev of its own: libvirt would carry the
  # hidden /dev/kvm (below) over into it, and cannot. This suits a machine for building and testing;
  # a real host has an init system, and keeps its own qemu.conf.
  with_settings /etc/libvirt/qemu.conf 'user = "root"' 'group = "root"' 'dynamic_ownership = 0' \
    'remember_owner = 0' 'namespaces = []' >"$state/qemu.conf"
  # Where the CPU offers no virtualisation a /dev/kvm may open all the same, guests hang on it, and
  # libvirtd probes QEMU anew at every call (measured: 56 s for the first define). A read-only file
  # in its place, seen by libvirtd alone, is refused to whoever asks for writing, even to root.
  # tini adopts and reaps every QEMU: a PID 1 that reaps late makes each stop wait for seconds.
  # shellcheck disable=SC2016
  start libvirtd unshare --mount --propagation slave sh -euc '
    mount --bind "$1/qemu.conf" /etc/libvirt/qemu.conf
    if ! grep -qwE "vmx|svm" /proc/cpuinfo && [ -e /dev/kvm ]; then
      : >"$1/no-kvm"
      mount --bind "$1/no-kvm" /dev/kvm
      mount -o remount,bind,ro /dev/kvm
    fi
    exec tini -s -- libvirtd --config "$1/libvirtd.conf"' sh "$state"
  wait_for libvirtd libvirt_runs
}

docker_runs() { timeout 10 docker version; }

docker_by_hand() {
  echo "run scripts/setup as root; or start dockerd, and join the group docker to use it"
}

start_docker() {
  if has_systemd; then
    systemctl start docker
    return
  fi
  start dockerd dockerd --pidfile "$state/docker.pid"
  wait_for dockerd docker_runs
}

busybox_image=evm/busybox:1
busybox_image_present() { docker image inspect "$busybox_image" --format '{{.Id}}'; }

# No registry is needed: the image is this machine's static busybox with a link for each command.
import_busybox_image() {
  local root
  root=$(mktemp -d "$tools/image.XXXXXX")
  mkdir -p "$root"/{bin,etc,tmp,www}
  install_busybox "$root/bin"
  echo 'root:x:0:0:root:/:/bin/sh' >"$root/etc/passwd"
  tar --create --owner=0 --group=0 --directory "$root" . |
    docker import --change 'CMD ["/bin/sh"]' - "$busybox_image"
  rm -rf "$root"
}

# with_settings FILE SETTING...: the operator's file, with these settings in place of its own.
with_settings() {
  local file=$1 setting names=""
  shift
  for setting in "$@"; do names+="${names:+|}${setting%% =*}"; done
  if [ -r "$file" ]; then grep -vE "^ *($names) *=" "$file" || true; fi
  printf '%s\n' "$@"
}

# start NAME COMMAND...: runs it in a session of its own, without this script's lock.
start() {
  local name=$1
  shift
  mkdir -p "$state"
  setsid "$@" >>"$state/$name.log" 2>&1 </dev/null 9>&- &
  echo "$!" >"$state/$name.pid"
}

# wait_for NAME CHECK: until the daemon answers; 60 s at most, its first start probes the machine.
wait_for() {
  local name=$1 check=$2 deadline=$((SECONDS + 60))
  until "$check" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ] || ! kill -0 "$(<"$state/$name.pid")"; then
      echo "$name does not answer; its log ends:"
      tail -n 15 "$state/$name.log"
      return 1
    fi
    sleep 0.1
  done
}

# VMs go on running without libvirtd; containers end with dockerd.
stop_daemons() {
  local name pid
  for name in dockerd libvirtd virtlogd; do
    [ -e "$state/$name.pid" ] || continue
    pid=$(<"$state/$name.pid")
    # A process id may have been given to another program since.
    if grep -qzE "(^|/)$name\$" "/proc/$pid/cmdline" 2>/dev/null; then
      kill "$pid"
      timeout 60 tail --pid="$pid" -f /dev/null
      report "ok" "$name" "stopped"
    fi
    rm -f "$state/$name.pid"
  done
}
