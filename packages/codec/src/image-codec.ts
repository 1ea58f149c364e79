/** VM images: between wire and model. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Artifact, Image } from "@evm/fleet";
import {
  type ArtifactSchema,
  DiskFormat,
  ImageSchema,
  OsFamily,
  type Artifact as WireArtifact,
  type Image as WireImage,
} from "@evm/protocol";
import { codec, wireEnum } from "./codec.ts";
import * as schema from "./model-schema.ts";

const osFamily = wireEnum({ linux: OsFamily.LINUX, windows: OsFamily.WINDOWS });
const diskFormat = wireEnum({ qcow2: DiskFormat.QCOW2, raw: DiskFormat.RAW });

export const imageCodec = codec({
  what: "image",
  desc: ImageSchema,
  schema: schema.image,
  init: imageInit,
  shape: imageShape,
});

export function imageInit(image: Image): MessageInitShape<typeof ImageSchema> {
  const { name, boot } = image;
  return {
    name,
    osFamily: osFamily.toWire(image.osFamily),
    disk: artifactInit(image.disk),
    diskFormat: diskFormat.toWire(image.diskFormat),
    ...(boot.kind === "disk"
      ? {}
      : {
          kernelBoot: {
            kernel: artifactInit(boot.kernel),
            ...(boot.initrd === undefined ? {} : { initrd: artifactInit(boot.initrd) }),
            cmdline: boot.cmdline,
          },
        }),
  };
}

const artifactInit = (artifact: Artifact): MessageInitShape<typeof ArtifactSchema> => ({
  url: artifact.url,
  digest: artifact.digest,
  sizeBytes: BigInt(artifact.sizeBytes),
});

export function imageShape(wire: WireImage) {
  const { name, disk, kernelBoot } = wire;
  return {
    name,
    osFamily: osFamily.shape(wire.osFamily),
    disk: disk && artifactShape(disk),
    diskFormat: diskFormat.shape(wire.diskFormat),
    boot:
      kernelBoot === undefined
        ? { kind: "disk" }
        : {
            kind: "kernel",
            kernel: kernelBoot.kernel && artifactShape(kernelBoot.kernel),
            initrd: kernelBoot.initrd && artifactShape(kernelBoot.initrd),
            cmdline: kernelBoot.cmdline,
          },
  };
}

const artifactShape = ({ url, digest, sizeBytes }: WireArtifact) => ({
  url,
  digest,
  sizeBytes: Number(sizeBytes),
});
