/**
 * An export as a file: YAML that people read, compare and keep. One field to a line, everything
 * sorted, so that two exports differ where the cluster did.
 */
import type { ClusterExport } from "@evm/fleet";
import { parseDocument, stringify } from "yaml";
import { z } from "zod";
import { CodecError, describeProblem } from "./codec-error.ts";
import { templateDigest } from "./digest.ts";
import { everyOf, uint64 } from "./fields.ts";
import { image } from "./model-schema.ts";
import { fleetRecord, hostRecord } from "./state-schema.ts";
import { strict } from "./strict.ts";
import { validate } from "./validate.ts";

/** Grows where an older reader would misread; one that it does not know is refused. */
const VERSION = 1;

/** The fleets of the largest cluster that is meant, with room to spare. */
const MAX_FILE_LENGTH = 64 * 1024 * 1024;

const HEADER =
  "# What EVM was asked to run: evm restore rebuilds a cluster from this and its hosts.\n";

const FORMAT = { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 } as const;

const when = "a time like 2026-11-27T04:00:00.000Z";

const content = strict(
  {
    evmExport: z.literal(VERSION, { error: `${VERSION}, the version that is known here` }),
    exportedAt: z.iso.datetime({ error: when }).transform((text) => Date.parse(text)),
    epoch: uint64,
    revision: uint64,
    fleets: everyOf(fleetRecord),
    images: everyOf(image),
    hosts: everyOf(hostRecord),
  },
  "an export: evmExport, exportedAt, epoch, revision, fleets, images, hosts",
);

/** The whole file; what comes after its first lines changes only where the cluster does. */
export function formatExport(value: ClusterExport): string {
  const { exportedAt, epoch, revision, fleets, images, hosts } = value;
  const at = new Date(exportedAt).toISOString();
  return (
    HEADER +
    stringify({ evmExport: VERSION, exportedAt: at, epoch, revision }) +
    stringify({ fleets, images, hosts }, FORMAT)
  );
}

/** @throws CodecError that names the file and every field that is wrong */
export function parseExport({ file, text }: { file: string; text: string }): ClusterExport {
  const refused = (lines: readonly string[]): CodecError =>
    new CodecError("invalid", lines.map((line) => `${file}: ${line}`).join("\n"));
  if (text.length > MAX_FILE_LENGTH) {
    throw refused([`${text.length} characters; expected at most ${MAX_FILE_LENGTH}`]);
  }
  const document = parseDocument(text);
  if (document.errors.length > 0) throw refused(document.errors.map(({ message }) => message));
  const result = validate(content, document.toJS());
  if (result.kind === "invalid") throw refused(result.problems.map(describeProblem));
  const { evmExport: _, ...value } = result.value;
  const edited = value.fleets.flatMap(({ spec, image: own, template }, at) => {
    const digest = templateDigest(spec.template, own);
    const expected = `${digest}, the digest of the template and image that it holds`;
    const field = `fleets[${at}].template`;
    return digest === template ? [] : [describeProblem({ field, value: template, expected })];
  });
  if (edited.length > 0) throw refused(edited);
  return value;
}
