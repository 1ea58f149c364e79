/** The micro guest that `scripts/setup` builds: boots in seconds, also under emulation. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The memory, in MiB, that its kernel needs to boot. */
export const GUEST_MEMORY_MIB = 96;

/** Begins the line that it prints on its console as soon as it is up; the host name follows. */
export const GUEST_UP = "EVM-GUEST-UP ";

/** The path of one of its files. */
export const guestFile = (name: "vmlinuz" | "initrd.img" | "disk.qcow2" | "cmdline"): string =>
  fileURLToPath(new URL(`../../tools/guest/${name}`, import.meta.url));

/** What it is called in a catalog. */
export const GUEST_IMAGE = "micro";

/** The words for `evm` that add it to the catalog. @param disk the options that name its disk */
export const addGuest = (
  name = GUEST_IMAGE,
  disk: readonly string[] = ["--disk", guestFile("disk.qcow2")],
): readonly string[] => [
  ...["images", "add", name, ...disk],
  ...["--kernel", guestFile("vmlinuz"), "--initrd", guestFile("initrd.img")],
  ...["--cmdline", guestCmdline()],
];

/** The kernel command line that makes it boot fast. */
export const guestCmdline = (): string => readFileSync(guestFile("cmdline"), "utf8").trim();
