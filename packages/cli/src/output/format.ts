/** Values as people read them. */
import { phaseEnum } from "@evm/codec";
import type { Phase } from "@evm/protocol";
import { styled, type Terminal } from "./terminal.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `4s`, `3m`, `2h`, `5d`: the largest unit that fits. */
export function duration(ms: number): string {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))}s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)}h`;
  return `${Math.floor(ms / DAY)}d`;
}

/** How long ago, by this machine's clock; `-` for 0, which means unknown. */
export const age = (sinceMs: bigint, nowMs: number): string =>
  sinceMs === 0n ? "-" : duration(nowMs - Number(sinceMs));

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** `1.5 GiB`: at most one digit behind the point. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Number(value.toFixed(1))} ${UNITS[unit] ?? ""}`;
}

export const mebibytes = (count: number): string => bytes(count * 1024 * 1024);

/** `2`, `0.25`. */
export const vcpus = (millis: number): string => String(millis / 1000);

const PHASE_STYLES = {
  pending: "yellow",
  placed: "yellow",
  preparing: "yellow",
  starting: "yellow",
  running: "cyan",
  ready: "green",
  stopping: "yellow",
  stopped: "dim",
  failed: "red",
  lost: "red",
} as const;

/** `?` for one that this version does not know. */
export const phaseText = (phase: Phase): string => phaseEnum.fromWire(phase) ?? "?";

/** The phase in its colour. */
export function phase(terminal: Terminal, value: Phase): string {
  const word = phaseEnum.fromWire(value);
  return word === undefined ? "?" : styled(terminal, PHASE_STYLES[word], word);
}

/** `3 ready, 1 starting`; `-` for none. */
export const phaseCounts = (
  counts: readonly { readonly phase: Phase; readonly count: number }[],
): string => counts.map((item) => `${item.count} ${phaseText(item.phase)}`).join(", ") || "-";

/** `a=1,b=2`; `-` for none. */
export const labels = (map: { readonly [key: string]: string }): string =>
  Object.entries(map)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",") || "-";

/** What is empty on the wire, as `-`. */
export const orDash = (text: string): string => (text === "" ? "-" : text);
