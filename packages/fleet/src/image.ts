/** VM images: named in the catalog, addressed by digest everywhere else. */
import type { Digest, ImageName } from "./ids.ts";

/** One file of an image. */
export type Artifact = {
  /** `file:` (on the host) or `http(s):`. */
  readonly url: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
};

/** How the guest starts: from its disk, or from a kernel that the hypervisor loads. */
export type Boot =
  | { readonly kind: "disk" }
  | {
      readonly kind: "kernel";
      readonly kernel: Artifact;
      readonly initrd: Artifact | undefined;
      readonly cmdline: string;
    };

export type Image = {
  readonly name: ImageName;
  readonly osFamily: "linux" | "windows";
  readonly disk: Artifact;
  readonly diskFormat: "qcow2" | "raw";
  readonly boot: Boot;
};

/** Every file that a host needs before it can start an instance of this image. */
export function artifactsOf(image: Image): readonly Artifact[] {
  if (image.boot.kind === "disk") return [image.disk];
  const { kernel, initrd } = image.boot;
  return initrd === undefined ? [image.disk, kernel] : [image.disk, kernel, initrd];
}
