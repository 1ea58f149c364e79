/**
 * What EVM notes on a domain, as one element of its metadata: whose it is, and what libvirt itself
 * forgets. `list` needs nothing else, so that a driver that has just started knows as much as one
 * that has run for weeks (D1).
 */
import { createHash } from "node:crypto";
import {
  type ConsoleReadiness,
  type Digest,
  type FleetName,
  type InstanceName,
  type Instant,
  isDigest,
  isFleetName,
  isInstanceName,
} from "@evm/fleet";
import type { DriverInstance } from "../driver.ts";
import { attributesOf, element } from "./xml.ts";

/** The namespace of the element. */
export const MARKS_URI = "urn:evm:instance:1";
export const MARKS_PREFIX = "evm";

/**
 * The last start. That the guest was ready is noted because its log may be rotated away while it
 * runs; how it ended, because libvirtd forgets that when it restarts.
 */
export type Run = {
  readonly startedAt: Instant;
  readonly isReady: boolean;
  readonly end: { readonly exit: "success" | "failure"; readonly reason: string } | undefined;
};

export type Marks = {
  readonly name: InstanceName;
  readonly incarnation: number;
  readonly fleet: FleetName;
  readonly index: number;
  readonly templateDigest: Digest;
  readonly readiness: ConsoleReadiness | undefined;
  /** Holds its disk and its console's log. */
  readonly folder: string;
  /** libvirt's network that knows its address. */
  readonly network: string | undefined;
  /** Absent before the first start. */
  readonly run: Run | undefined;
};

/** The element for a domain's definition. */
export const marksToXml = (marks: Marks): string =>
  element(`${MARKS_PREFIX}:instance`, {
    [`xmlns:${MARKS_PREFIX}`]: MARKS_URI,
    ...attributesFor(marks),
  });

/** The element as libvirt wants it where it is set alone: it adds the namespace itself. */
export const bareMarksToXml = (marks: Marks): string => element("instance", attributesFor(marks));

function attributesFor({ readiness, network, run, ...marks }: Marks) {
  return {
    name: marks.name,
    incarnation: marks.incarnation,
    fleet: marks.fleet,
    index: marks.index,
    "template-digest": marks.templateDigest,
    folder: marks.folder,
    ...(network !== undefined && { network }),
    ...(readiness !== undefined && {
      "readiness-text": readiness.text,
      "readiness-timeout-ms": readiness.timeoutMs,
    }),
    ...(run !== undefined && { "started-at": run.startedAt, "is-ready": String(run.isReady) }),
    ...(run?.end !== undefined && { exit: run.end.exit, "exit-reason": run.end.reason }),
  };
}

/** Reads either. Undefined where the element is not EVM's, or not as EVM writes it. */
export function marksFromXml(xml: string): Marks | undefined {
  const attributes = attributesOf(xml);
  const text = (name: string): string => attributes.get(name) ?? "";
  const count = (name: string): number => Number(attributes.get(name) ?? Number.NaN);
  const name = text("name");
  const fleet = text("fleet");
  const templateDigest = text("template-digest");
  const [incarnation, index] = [count("incarnation"), count("index")];
  if (!isInstanceName(name) || !isFleetName(fleet) || !isDigest(templateDigest)) return undefined;
  if (!Number.isSafeInteger(incarnation) || !Number.isSafeInteger(index)) return undefined;
  const readiness = { text: text("readiness-text"), timeoutMs: count("readiness-timeout-ms") };
  const exit = text("exit");
  const isEnded = exit === "success" || exit === "failure";
  const run = {
    startedAt: count("started-at"),
    isReady: text("is-ready") === "true",
    end: isEnded ? ({ exit, reason: text("exit-reason") } as const) : undefined,
  };
  return {
    name,
    incarnation,
    fleet,
    index,
    templateDigest,
    readiness: Number.isNaN(readiness.timeoutMs) ? undefined : readiness,
    folder: text("folder"),
    network: attributes.get("network"),
    run: Number.isNaN(run.startedAt) ? undefined : run,
  };
}

/** What `list` shows of every incarnation, whatever its state. */
export const identityOf = ({ name, incarnation, fleet, index, templateDigest }: Marks) =>
  ({ name, incarnation, fleet, index, templateDigest }) satisfies Partial<DriverInstance>;

const UUID_BYTES = 16;
/** RFC 9562: version 8, "custom", in the high bits of byte 6; the variant in those of byte 8. */
const VERSION_BYTE = 6;
const VARIANT_BYTE = 8;

/** What tells a domain from all others. */
export type DomainId = { readonly owner: string; readonly name: string };

/**
 * The UUID of the domain that an owner has under this name. It follows from the two, so that
 * defining is idempotent, and so that a foreign domain is told apart without asking about it,
 * be it that of another EVM on this machine: its UUID does not fit.
 */
export function uuidOf(id: DomainId): string {
  const bytes = hashOf(id).subarray(0, UUID_BYTES);
  bytes[VERSION_BYTE] = ((bytes[VERSION_BYTE] ?? 0) & 0x0f) | 0x80;
  bytes[VARIANT_BYTE] = ((bytes[VARIANT_BYTE] ?? 0) & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * The MAC address of its first interface: locally administered, with 40 bits of the same hash.
 * The customary 52:54:00 leaves 24: among 1,000 VMs two would share an address in 3 % of all racks.
 */
export function macOf(id: DomainId): string {
  const bytes = hashOf(id).subarray(UUID_BYTES, UUID_BYTES + 5);
  return ["52", ...(bytes.toString("hex").match(/../g) ?? [])].join(":");
}

const hashOf = ({ owner, name }: DomainId): Buffer =>
  createHash("sha256")
    .update(JSON.stringify([owner, name]))
    .digest();
