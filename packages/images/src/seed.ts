/**
 * Seeds: small ISO 9660 images by which cloud-init learns who it is ("NoCloud").
 * Source: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { moveDurably } from "./durable.ts";
import { hasCode, ImageError, toImageError } from "./image-error.ts";
import { runTool } from "./tool.ts";

export type SeedRequest = {
  readonly hostname: string;
  /** Another one makes cloud-init run again: an incarnation has one, over all its restarts. */
  readonly instanceId: string;
  /** As the operator wrote it; absent: an empty cloud-config. */
  readonly userData: string | undefined;
  /** Absent: the guest's own default, which is DHCP. */
  readonly networkConfig: string | undefined;
};

export type SeedFile = { readonly name: string; readonly content: string };

/** What a seed holds: a function of the request and nothing else. */
export function seedFiles(request: SeedRequest): readonly SeedFile[] {
  // JSON's strings are YAML's too: nothing in a name can become another key.
  const metaData = [
    `instance-id: ${JSON.stringify(request.instanceId)}`,
    `local-hostname: ${JSON.stringify(request.hostname)}`,
    "",
  ].join("\n");
  const files = [
    { name: "meta-data", content: metaData },
    { name: "user-data", content: request.userData ?? "#cloud-config\n" },
  ];
  if (request.networkConfig === undefined) return files;
  return [...files, { name: "network-config", content: request.networkConfig }];
}

/** Debian has had both; either makes the same image from the same arguments. */
const TOOLS = [
  { command: "genisoimage", prefix: [] },
  { command: "xorriso", prefix: ["-as", "mkisofs"] },
] as const;

/** Writes the seed to `path`, whole or not at all; one that is there is replaced. */
export async function writeSeed(
  request: SeedRequest,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const doing = `making seed ${path}`;
  let folder: string | undefined;
  try {
    // Beside its destination: a rename does not cross file systems, and a discard removes it.
    folder = await mkdtemp(join(dirname(path), ".seed-"));
    const names: string[] = [];
    for (const { name, content } of seedFiles(request)) {
      const file = join(folder, name);
      await writeFile(file, content);
      names.push(file);
    }
    const image = join(folder, "seed.iso");
    await makeIso(["-quiet", "-o", image, "-V", "cidata", "-J", "-r", ...names], signal);
    await moveDurably(image, path);
  } catch (error) {
    throw toImageError(doing, error);
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function makeIso(args: readonly string[], signal: AbortSignal): Promise<void> {
  for (const { command, prefix } of TOOLS) {
    try {
      await runTool(command, [...prefix, ...args], signal);
      return;
    } catch (error) {
      const isMissing = error instanceof ImageError && hasCode(error.cause, "ENOENT");
      if (!isMissing) throw error;
    }
  }
  const names = TOOLS.map((tool) => tool.command).join(" nor ");
  throw new ImageError("failed", `neither ${names} is installed: apt-get install genisoimage`);
}
