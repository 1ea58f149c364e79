import type { CatalogImage } from "@evm/protocol";
import { formatText, osText } from "./image-words.ts";
import { bytes } from "./output/format.ts";
import { table } from "./output/table.ts";
import type { Terminal } from "./output/terminal.ts";

/** The catalog as `evm images` shows it. */
export const imageTable = (terminal: Terminal, images: readonly CatalogImage[]): string =>
  table(
    terminal,
    images,
    [
      { title: "IMAGE", value: ({ image }) => image?.name ?? "" },
      { title: "OS", value: ({ image }) => osText(image?.osFamily) },
      { title: "FORMAT", value: ({ image }) => formatText(image?.diskFormat) },
      {
        title: "SIZE",
        value: ({ image }) => bytes(Number(image?.disk?.sizeBytes ?? 0)),
        align: "right",
      },
      { title: "BOOT", value: ({ image }) => (image?.kernelBoot ? "kernel" : "disk") },
      { title: "DIGEST", value: ({ image }) => shortDigest(image?.disk?.digest ?? "") },
      { title: "HOSTS", value: ({ hosts }) => hosts.join(",") || "-" },
    ],
    "No images. Add one: evm images add NAME --disk FILE",
  );

/** Enough of it to tell two apart. */
const shortDigest = (digest: string): string => digest.slice(0, "sha256:".length + 12);
