/** `@unraid/libvirt`, installed when first needed: native bindings that nothing else here uses. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** What the bench uses of it; a domain is opaque. */
export interface Hypervisor {
  connectOpen(): Promise<void>;
  connectClose(): Promise<void>;
  connectListAllDomains(): Promise<readonly NativeDomain[]>;
  domainDefineXML(xml: string): Promise<NativeDomain>;
  domainCreate(domain: NativeDomain): Promise<void>;
  domainGetInfo(domain: NativeDomain): Promise<unknown>;
}
export type NativeDomain = object;

type Module = { readonly Hypervisor: new (options: { readonly uri: string }) => Hypervisor };

export type Unraid =
  | {
      readonly kind: "usable";
      readonly create: (options: { readonly uri: string }) => Hypervisor;
    }
  | { readonly kind: "missing"; readonly reason: string };

const PACKAGE = "@unraid/libvirt@2.2.1";
const FOLDER = fileURLToPath(new URL("../../../tools/bench/unraid", import.meta.url));
const ENTRY = join(FOLDER, "node_modules/@unraid/libvirt/dist/index.js");
const BINDING = join(FOLDER, "node_modules/@unraid/libvirt/build/Release/libvirt.node");
const INSTALL_TIMEOUT_MS = 300_000;

/** Builds it where it is not there yet; where that is not possible, says why. */
export async function loadUnraid(): Promise<Unraid> {
  if (!existsSync(BINDING)) {
    const reason = await install();
    if (reason !== undefined) return { kind: "missing", reason };
  }
  const { Hypervisor }: Module = await import(pathToFileURL(ENTRY).href);
  return { kind: "usable", create: (options) => new Hypervisor(options) };
}

async function install(): Promise<string | undefined> {
  const headers = "/usr/include/libvirt/libvirt.h";
  if (!existsSync(headers)) return `${headers} is missing: apt-get install libvirt-dev`;
  await mkdir(FOLDER, { recursive: true });
  await writeFile(join(FOLDER, "package.json"), '{ "private": true }\n');
  const { error, status, stderr } = spawnSync(
    "npm",
    ["install", "--prefix", FOLDER, "--no-audit", "--no-fund", PACKAGE],
    {
      encoding: "utf8",
      timeout: INSTALL_TIMEOUT_MS,
      env: {
        ...process.env,
        npm_config_build_from_source: "true",
        // Node's headers lie beside its binary: nothing is fetched.
        npm_config_nodedir: dirname(dirname(process.execPath)),
      },
    },
  );
  if (existsSync(BINDING)) return undefined;
  const needs = "it needs libvirt-dev, python3, make and g++";
  const failure = stderr.split("\n").find((line) => /\berr(or)?!?\b/i.test(line));
  return `npm install ${PACKAGE}: ${error?.message ?? failure ?? `status ${status}`} (${needs})`;
}
