import { dirname, join } from "node:path";
import { type Image, runtimeName } from "@evm/fleet";
import { type EnsureOptions, type ImageCache, writeSeed } from "@evm/images";
import type { PrepareOptions } from "../driver.ts";
import type { DomainFiles, VmSpec } from "./domain-xml.ts";

const MIB = 1 << 20;

/** Makes whatever a VM is made of and is not there yet: its disk, its seed, its kernel. */
export async function makeFiles(
  images: ImageCache,
  spec: VmSpec,
  image: Image,
  { signal, onProgress }: PrepareOptions,
): Promise<DomainFiles> {
  const name = runtimeName(spec.name, spec.incarnation);
  const told = (what: string): EnsureOptions => ({
    signal,
    onProgress: perMib((done, total) =>
      onProgress(`fetching ${what} ${image.name}: ${done} of ${total} MiB`),
    ),
  });
  const { diskMib } = spec.template.resources;
  const disk = await images.createOverlay({ name, image, diskMib }, told("image"));
  const folder = dirname(disk);
  const seed = join(folder, "seed.iso");
  const { userData } = spec.template;
  const identity = { hostname: spec.name, instanceId: name };
  await writeSeed({ ...identity, userData, networkConfig: undefined }, seed, signal);
  if (image.boot.kind === "disk") return { folder, disk, seed, kernel: undefined };
  const { kernel, initrd } = image.boot;
  const path = await images.ensure(kernel, told("the kernel of"));
  const initrdPath = initrd && (await images.ensure(initrd, told("the initrd of")));
  return { folder, disk, seed, kernel: { path, initrd: initrdPath } };
}

/** Tells of progress once for every whole MiB. */
function perMib(tell: (doneMib: number, totalMib: number) => void): EnsureOptions["onProgress"] {
  let told = -1;
  return ({ doneBytes, totalBytes }) => {
    const done = Math.floor(doneBytes / MIB);
    if (done === told) return;
    told = done;
    tell(done, Math.ceil(totalBytes / MIB));
  };
}
