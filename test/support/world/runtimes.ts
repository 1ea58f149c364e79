/** What runs instances on a host of a world: Docker as Debian sets it up, and libvirt. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "../run.ts";
import type { Machine } from "./machine.ts";
import type { Room } from "./room.ts";
import type { Service } from "./service.ts";

/** In the room's folder, with the image that set-up has made. */
const IMAGES_FILE = "images.tar";
const IMAGE = "evm/busybox:1";

/** What every dockerd of the room is given. */
export async function saveImages(room: Room): Promise<void> {
  await run("docker", "save", IMAGE, "--output", join(room.folder, IMAGES_FILE));
}

const CONTAINERD_SOCKET = "/run/containerd/containerd.sock";

export async function containerdOf(room: Room, machine: Machine): Promise<Service> {
  const config = join(room.folder, `${machine.name}.containerd.toml`);
  const settings = {
    version: "2",
    root: JSON.stringify(join(machine.disk, "containerd")),
    state: '"/run/containerd"',
    // Kubernetes' part, which would look for networks.
    disabled_plugins: '["io.containerd.grpc.v1.cri"]',
    "grpc.address": JSON.stringify(CONTAINERD_SOCKET),
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  await writeFile(config, lines.join(""));
  return machine.service({
    name: "containerd",
    command: ["containerd", "--config", config, "--log-level", "warn"],
    isUp: () =>
      machine.run("test", "-S", CONTAINERD_SOCKET).then(
        () => true,
        () => false,
      ),
  });
}

/** With nothing that would touch a network: its containers talk to nobody. */
export function dockerdOf(room: Room, machine: Machine, socket: string): Service {
  const options = [
    ...["--host", `unix://${socket}`, "--containerd", CONTAINERD_SOCKET],
    ...["--data-root", join(machine.disk, "docker"), "--exec-root", "/run/docker"],
    ...["--pidfile", "/run/docker.pid", "--log-level", "warn"],
    ...["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-masq=false"],
    ...["--storage-driver", "overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs"],
    ...["--cgroup-parent", `/${room.mark}/${machine.name}`],
  ];
  // Killed, it leaves its number behind, which the next one might take for that of a living one. Of
  // each container without a network it keeps a sandbox for ever, and the next one takes up to a
  // second for each before it answers (measured: 31 in 26 s).
  const sandboxes = join(machine.disk, "docker", "network");
  const start = `rm -rf /run/docker.pid ${sandboxes}; exec dockerd "$@"`;
  const images = join(room.folder, IMAGES_FILE);
  return machine.service({
    name: "dockerd",
    command: ["sh", "-c", start, "dockerd", ...options],
    isUp: () =>
      run("docker", "--host", `unix://${socket}`, "load", "--quiet", "--input", images).then(
        () => true,
        () => false,
      ),
  });
}

/** Where libvirt keeps what is defined; on the machine's disk. */
export const domainsOf = ({ disk }: Machine): string => join(disk, "libvirt", "etc", "qemu");

/**
 * With folders of its own in place of the machine's. QEMU runs as root and in no control group, and
 * writes its logs itself: whatever ends libvirtd ends no VM. Where the CPU offers no virtualisation
 * a /dev/kvm may open all the same, and guests hang on it: a file in its place is refused.
 */
const LIBVIRTD = `
disk=$0/libvirt
if ! [ -d "$disk" ]; then
  mkdir -p "$disk/etc/qemu" "$disk/lib" "$disk/cache" "$disk/log"
  printf '%s\\n' 'user = "root"' 'group = "root"' 'dynamic_ownership = 0' 'remember_owner = 0' \\
    'namespaces = []' 'cgroup_controllers = []' 'stdio_handler = "file"' >"$disk/etc/qemu.conf"
  echo 'max_client_requests = 20' >"$disk/etc/libvirtd.conf"
  : >"$disk/no-kvm"
fi
if ! mountpoint -q /etc/libvirt; then
  mount --bind "$disk/etc" /etc/libvirt
  mount --bind "$disk/lib" /var/lib/libvirt
  mount --bind "$disk/cache" /var/cache/libvirt
  mount --bind "$disk/log" /var/log/libvirt
  if ! grep -qwE "vmx|svm" /proc/cpuinfo && [ -e /dev/kvm ]; then
    mount --bind "$disk/no-kvm" /dev/kvm
    mount -o remount,bind,ro /dev/kvm
  fi
fi
exec libvirtd
`;

export const libvirtdOf = (machine: Machine): Service =>
  machine.service({
    name: "libvirtd",
    command: ["sh", "-euc", LIBVIRTD, machine.disk],
    isUp: () =>
      machine.run("virsh", "--connect", "qemu:///system", "version").then(
        () => true,
        () => false,
      ),
  });
