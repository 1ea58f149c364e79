/** The folders that containers are built from, on their way into the cluster. */
import {
  type BuildContext,
  CodecError,
  fleetSpecCodec,
  type ParsedFleet,
  packBuildContext,
  resolveBuild,
} from "@evm/codec";
import { type FleetSpec, ImageService } from "@evm/protocol";
import { CliError } from "./cli-error.ts";
import type { Context } from "./context.ts";
import { bytes } from "./output/format.ts";
import { startQuietProgress } from "./output/progress.ts";

/** As the API says: a request carries at most this much. */
const PIECE_BYTES = 256 * 1024;
/** For 64 MiB over a slow line. */
const UPLOAD_DEADLINE_MS = 120_000;

/** Fleets as they go to the server, and the folders that it needs for them. */
export type PackedFleets = {
  readonly specs: readonly FleetSpec[];
  readonly contexts: ReadonlyMap<string, BuildContext>;
};

/** Packs every folder; changes nothing. Throws a `CliError` with the problems of all folders. */
export async function packFleets(
  { terminal, signal }: Context,
  fleets: readonly ParsedFleet[],
): Promise<PackedFleets> {
  using progress = startQuietProgress(terminal);
  /** By folder and Dockerfile: several fleets may be built from one. */
  const contexts = new Map<string, BuildContext>();
  const problems = new Set<string>();
  const specs: FleetSpec[] = [];
  for (const fleet of fleets) {
    if (fleet.kind === "complete") {
      specs.push(fleetSpecCodec.toWire(fleet.spec));
      continue;
    }
    const { folder, dockerfile } = fleet.buildContext;
    const key = `${folder}\n${dockerfile}`;
    try {
      progress.update(`packing ${folder}`);
      const packed = contexts.get(key) ?? (await packBuildContext(fleet.buildContext, signal));
      contexts.set(key, packed);
      specs.push(fleetSpecCodec.toWire(resolveBuild(fleet, packed.digest)));
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      problems.add(error.message);
    }
  }
  if (problems.size > 0) throw new CliError("usage", [...problems].join("\n"));
  return { specs, contexts };
}

/** Stores what the server does not have yet. */
export async function uploadContexts(
  { client, terminal, signal }: Context,
  contexts: PackedFleets["contexts"],
): Promise<void> {
  using progress = startQuietProgress(terminal);
  for (const [key, context] of contexts) {
    const [folder = ""] = key.split("\n");
    const requests = () =>
      pieces(context, (count) => {
        const size = bytes(context.content.byteLength);
        progress.update(`uploading ${folder}: ${bytes(count)} of ${size}`);
      });
    await client.clientStream(ImageService.method.uploadBuildContext, requests, {
      signal,
      deadlineMs: UPLOAD_DEADLINE_MS,
    });
  }
}

/** The digest goes first and alone: a server that has the content asks for no more. */
async function* pieces({ digest, content }: BuildContext, onSent: (bytes: number) => void) {
  yield { digest };
  for (let at = 0; at < content.byteLength; at += PIECE_BYTES) {
    yield { data: content.subarray(at, at + PIECE_BYTES) };
    onSent(Math.min(at + PIECE_BYTES, content.byteLength));
  }
}
