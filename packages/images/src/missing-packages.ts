import { hasCode, ImageError } from "./image-error.ts";
import { runTool } from "./tool.ts";

/** What this package runs, and the Debian package that it comes in; any of the commands will do. */
const NEEDS = [
  { commands: ["qemu-img"], debianPackage: "qemu-utils" },
  { commands: ["genisoimage", "xorriso"], debianPackage: "genisoimage" },
] as const;

/** Debian's names of the packages without which no overlay or no seed can be made here. */
export async function missingPackages(signal: AbortSignal): Promise<readonly string[]> {
  const missing: string[] = [];
  for (const { commands, debianPackage } of NEEDS) {
    let isThere = false;
    for (const command of commands) isThere ||= await isInstalled(command, signal);
    if (!isThere) missing.push(debianPackage);
  }
  return missing;
}

async function isInstalled(command: string, signal: AbortSignal): Promise<boolean> {
  try {
    await runTool(command, ["--version"], signal);
    return true;
  } catch (error) {
    if (error instanceof ImageError && hasCode(error.cause, "ENOENT")) return false;
    throw error;
  }
}
