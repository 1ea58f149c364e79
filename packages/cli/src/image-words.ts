/** The words of images on the command line. */
import { DiskFormat, OsFamily } from "@evm/protocol";

export const OS_FAMILIES = { linux: OsFamily.LINUX, windows: OsFamily.WINDOWS } as const;
export const DISK_FORMATS = { qcow2: DiskFormat.QCOW2, raw: DiskFormat.RAW } as const;

export type OsWord = keyof typeof OS_FAMILIES;
export type FormatWord = keyof typeof DISK_FORMATS;

/** `?` for one that this version does not know. */
export const osText = (os: OsFamily | undefined): string => wordOf(OS_FAMILIES, os);
export const formatText = (format: DiskFormat | undefined): string => wordOf(DISK_FORMATS, format);

const wordOf = (words: { readonly [word: string]: number }, number: number | undefined): string =>
  Object.entries(words).find(([, value]) => value === number)?.[0] ?? "?";
