/** What a VM is to libvirt: a function of its spec, its files and a few facts of the host. */
import { runtimeName, type VmTemplate } from "@evm/fleet";
import type { InstanceSpec } from "../driver.ts";
import { type Marks, macOf, marksToXml, uuidOf } from "./marks.ts";
import { element } from "./xml.ts";

/** Where a VM's first interface is plugged in. */
export type NetworkChoice =
  | { readonly kind: "none" }
  /** One of libvirt's networks. */
  | { readonly kind: "network"; readonly name: string }
  /** A bridge of the host. */
  | { readonly kind: "bridge"; readonly name: string };

export type HostFacts = {
  /** Which EVM of this host the domain belongs to. */
  readonly owner: string;
  readonly accelerator: "kvm" | "emulation";
  readonly network: NetworkChoice;
};

/** Absolute paths of what a VM is made of. */
export type DomainFiles = {
  /** Holds the disk, and is where the console's log goes. */
  readonly folder: string;
  readonly disk: string;
  readonly seed: string | undefined;
  readonly kernel: { readonly path: string; readonly initrd: string | undefined } | undefined;
};

export type VmSpec = InstanceSpec & { readonly template: VmTemplate };

/** libvirtd truncates it at every start, whoever starts the VM: it is that of the last run. */
export const consoleLogPath = (folder: string): string => `${folder}/console.log`;

/**
 * QEMU's emulator keeps what it has translated. Unlimited, it grew to 1.4 GiB for a Debian guest;
 * 32 MiB cost no measurable speed.
 */
const TRANSLATION_CACHE_MIB = 32;

export function domainXml(spec: VmSpec, files: DomainFiles, facts: HostFacts): string {
  const { resources } = spec.template;
  const name = runtimeName(spec.name, spec.incarnation);
  const isEmulated = facts.accelerator === "emulation";
  return element("domain", { type: isEmulated ? "qemu" : "kvm" }, [
    element("name", {}, name),
    element("uuid", {}, uuidOf({ owner: facts.owner, name })),
    element("metadata", {}, [marksToXml(marksOf(spec, files, facts))]),
    element("memory", { unit: "MiB" }, String(resources.memoryMib)),
    element("vcpu", {}, String(Math.ceil(resources.vcpuMillis / 1000))),
    boot(spec, files),
    element("features", {}, [
      element("acpi"),
      element("apic"),
      ...(isEmulated
        ? [
            element("tcg", {}, [
              element("tb-cache", { unit: "MiB" }, String(TRANSLATION_CACHE_MIB)),
            ]),
          ]
        : []),
    ]),
    // `maximum`: what distributions built for newer CPUs than QEMU's default model need.
    element("cpu", { mode: isEmulated ? "maximum" : "host-model" }),
    element("clock", { offset: "utc" }),
    // A guest's reboot is its own affair; every other end is shown, and the agent decides.
    element("on_poweroff", {}, "destroy"),
    element("on_reboot", {}, "restart"),
    element("on_crash", {}, "destroy"),
    element("devices", {}, devices(name, files, facts)),
  ]);
}

function marksOf(spec: VmSpec, files: DomainFiles, facts: HostFacts): Marks {
  const { name, incarnation, fleet, index, templateDigest, template } = spec;
  return {
    name,
    incarnation,
    fleet,
    index,
    templateDigest,
    readiness: template.readiness,
    folder: files.folder,
    network: facts.network.kind === "network" ? facts.network.name : undefined,
    run: undefined,
  };
}

function boot(spec: VmSpec, files: DomainFiles): string {
  // q35 for every guest: it started a micro guest 5 to 10 % faster than `pc` under emulation
  // (1.92 s against 2.11 s), and firmware with Secure Boot needs it.
  const type = element("type", { arch: "x86_64", machine: "q35" }, "hvm");
  const image = spec.image;
  if (image?.boot.kind !== "kernel" || files.kernel === undefined) {
    return element("os", {}, [type, element("boot", { dev: "hd" })]);
  }
  const { path, initrd } = files.kernel;
  return element("os", {}, [
    type,
    element("kernel", {}, path),
    ...(initrd === undefined ? [] : [element("initrd", {}, initrd)]),
    element("cmdline", {}, `${image.boot.cmdline} evm.name=${spec.name}`.trimStart()),
  ]);
}

function devices(name: string, files: DomainFiles, facts: HostFacts): readonly string[] {
  return [
    element("controller", { type: "usb", model: "none" }),
    element("disk", { type: "file", device: "disk" }, [
      element("driver", { name: "qemu", type: "qcow2", discard: "unmap" }),
      element("source", { file: files.disk }),
      element("target", { dev: "vda", bus: "virtio" }),
    ]),
    ...(files.seed === undefined ? [] : [seedDisk(files.seed)]),
    ...networkInterface(name, facts),
    // Both at once: the pty is for terminals, and virtlogd writes the log and limits its size.
    element("serial", { type: "pty" }, [
      element("log", { file: consoleLogPath(files.folder), append: "off" }),
      element("target", { port: 0 }),
    ]),
    element("console", { type: "pty" }, [element("target", { type: "serial", port: 0 })]),
    element("memballoon", { model: "virtio" }),
    element("rng", { model: "virtio" }, [element("backend", { model: "random" }, "/dev/urandom")]),
  ];
}

/** A virtio disk and not a CD-ROM: Debian's cloud kernel has no driver for the latter's bus. */
const seedDisk = (path: string): string =>
  element("disk", { type: "file", device: "disk" }, [
    element("driver", { name: "qemu", type: "raw" }),
    element("source", { file: path }),
    element("target", { dev: "vdb", bus: "virtio" }),
    element("readonly"),
  ]);

function networkInterface(name: string, { owner, network }: HostFacts): readonly string[] {
  if (network.kind === "none") return [];
  return [
    element("interface", { type: network.kind }, [
      element("mac", { address: macOf({ owner, name }) }),
      element("source", { [network.kind]: network.name }),
      element("model", { type: "virtio" }),
    ]),
  ];
}
