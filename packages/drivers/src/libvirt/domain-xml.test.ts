import { join } from "node:path";
import type { Digest, FleetName, Image, ImageName, VmTemplate } from "@evm/fleet";
import { instanceName } from "@evm/fleet";
import { expect, test } from "vitest";
import { type DomainFiles, domainXml, type HostFacts, type VmSpec } from "./domain-xml.ts";

const digest = `sha256:${"a".repeat(64)}` as Digest;
const artifact = { url: "file:///images/x", digest, sizeBytes: 1 };
const fleet = "school-linux" as FleetName;

const template: VmTemplate = {
  kind: "vm",
  resources: { vcpuMillis: 2000, memoryMib: 2048, diskMib: 20_480 },
  image: "debian12" as ImageName,
  userData: "#cloud-config\n",
  readiness: undefined,
};
const diskImage: Image = {
  name: "debian12" as ImageName,
  osFamily: "linux",
  disk: artifact,
  diskFormat: "qcow2",
  boot: { kind: "disk" },
};
const spec: VmSpec = {
  name: instanceName(fleet, 42),
  incarnation: 3,
  fleet,
  index: 42,
  templateDigest: digest,
  template,
  image: diskImage,
};
const kernelSpec: VmSpec = {
  ...spec,
  template: { ...template, readiness: { text: 'up & "ready"\n<now>', timeoutMs: 60_000 } },
  image: {
    ...diskImage,
    boot: { kind: "kernel", kernel: artifact, initrd: artifact, cmdline: "console=ttyS0 quiet" },
  },
};

const folder = "/pool/overlays/school-linux-0042.3";
const files: DomainFiles = {
  folder,
  disk: `${folder}/disk.qcow2`,
  seed: `${folder}/seed.iso`,
  kernel: undefined,
};
const kernel = { path: "/pool/bases/kernel", initrd: "/pool/bases/initrd" };
const kvm: HostFacts = {
  owner: "evm",
  accelerator: "kvm",
  network: { kind: "network", name: "default" },
};
const emulated: HostFacts = { ...kvm, accelerator: "emulation", network: { kind: "none" } };
const bridged: HostFacts = { ...kvm, network: { kind: "bridge", name: "br0" } };

test.each([
  ["disk-kvm-network.xml", domainXml(spec, files, kvm)],
  ["disk-kvm-bridge.xml", domainXml(spec, { ...files, seed: undefined }, bridged)],
  ["kernel-emulated.xml", domainXml(kernelSpec, { ...files, kernel }, emulated)],
])("the domain is as in goldens/%s", async (golden, xml) => {
  await expect(`${xml}\n`).toMatchFileSnapshot(join(import.meta.dirname, "goldens", golden));
});

test("a part of a CPU is a whole one to a VM", () => {
  const resources = { ...template.resources, vcpuMillis: 1500 };
  const xml = domainXml({ ...spec, template: { ...template, resources } }, files, kvm);
  expect(xml).toContain("<vcpu>2</vcpu>");
});
