/** Three ways to libvirt for the bench: EVM's client, virsh, and native bindings. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { connect, type Domain } from "../../packages/libvirt/src/index.ts";
import { inParallel } from "./support/pool.ts";
import type { Hypervisor, NativeDomain } from "./support/unraid.ts";

/** The bench gives its daemon room for so many requests of a connection, and one more. */
export const WINDOW = 19;

/** What is measured, in this order. */
export const OPERATIONS = ["define", "start", "info", "list all", "statistics of all"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Which of them are one call for each domain; the others are one call for all domains. */
export const isPerDomain = (operation: Operation): boolean =>
  operation === "define" || operation === "start" || operation === "info";

/** A client that is connected. Each operation is done once for each of the names. */
export interface Session extends AsyncDisposable {
  /** Undefined where the client cannot do it. */
  readonly run: (operation: Operation, names: readonly string[]) => Promise<void> | undefined;
}

export type Client = {
  readonly name: string;
  readonly inFlight: number;
  /** Runs in this process, so that its code is compiled better the longer it runs. */
  readonly warmsUp: boolean;
  readonly open: (daemon: {
    readonly socketPath: string;
    readonly folder: string;
  }) => Promise<Session>;
};

/** What a client does, as one function for each operation. */
type Verbs = { readonly [Each in Operation]: ((name: string) => Promise<unknown>) | undefined };

export const domainXml = (name: string): string =>
  `<domain type='test'><name>${name}</name><memory unit='MiB'>8</memory>` +
  "<os><type>hvm</type></os></domain>";

/** The daemon's test hypervisor, in the spelling of libvirt's own clients. */
const foreignUri = (socketPath: string): string => `test+unix:///default?socket=${socketPath}`;

export const evmClient = (inFlight: number): Client => ({
  name: "EVM",
  inFlight,
  warmsUp: true,
  async open({ socketPath }) {
    const uri = "test:///default";
    const connection = await connect({ socketPath, uri, maxCallsInFlight: WINDOW });
    const { domains } = connection;
    const defined = new Map<string, Domain>();
    const verbs: Verbs = {
      define: async (name) => defined.set(name, await domains.define(domainXml(name))),
      start: (name) => domains.create(known(defined, name)),
      info: (name) => domains.info(known(defined, name)),
      "list all": () => domains.list(),
      "statistics of all": () => domains.stats(),
    };
    return sessionOf(verbs, inFlight, () => connection.close());
  },
});

export const nativeClient = (
  inFlight: number,
  create: (options: { readonly uri: string }) => Hypervisor,
): Client => ({
  name: "@unraid/libvirt",
  inFlight,
  warmsUp: true,
  async open({ socketPath }) {
    const hypervisor = create({ uri: foreignUri(socketPath) });
    await hypervisor.connectOpen();
    const defined = new Map<string, NativeDomain>();
    const verbs: Verbs = {
      define: async (name) => defined.set(name, await hypervisor.domainDefineXML(domainXml(name))),
      start: (name) => hypervisor.domainCreate(known(defined, name)),
      info: (name) => hypervisor.domainGetInfo(known(defined, name)),
      "list all": () => hypervisor.connectListAllDomains(),
      // The bindings have no call for it.
      "statistics of all": undefined,
    };
    return sessionOf(verbs, inFlight, () => hypervisor.connectClose());
  },
});

/** A process for each call, which connects, does one thing, and ends. */
export const virshPerCall = (inFlight: number): Client => ({
  name: "virsh, one process a call",
  inFlight,
  warmsUp: false,
  async open(daemon) {
    const one = (operation: Operation) => (name: string) =>
      virsh(daemon.socketPath, virshCommand(operation, name, daemon.folder));
    const verbs: Verbs = {
      define: one("define"),
      start: one("start"),
      info: one("info"),
      "list all": one("list all"),
      "statistics of all": one("statistics of all"),
    };
    return sessionOf(verbs, inFlight, async () => undefined);
  },
});

/** One process for each operation, which reads its commands from standard input. */
export const virshBatch = (): Client => ({
  name: "virsh, commands by stdin",
  inFlight: 1,
  warmsUp: false,
  async open({ socketPath, folder }) {
    return {
      run: (operation, names) =>
        virsh(
          socketPath,
          [],
          names.map((name) => `${virshCommand(operation, name, folder).join(" ")}\n`).join(""),
        ),
      [Symbol.asyncDispose]: async () => undefined,
    };
  },
});

/** virsh defines domains from files alone. */
export async function writeDomainFiles(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await writeFile(xmlFile(folder, name), domainXml(name));
}

const xmlFile = (folder: string, name: string): string => join(folder, `${name}.xml`);

function virshCommand(operation: Operation, name: string, folder: string): readonly string[] {
  switch (operation) {
    case "define":
      return ["define", xmlFile(folder, name)];
    case "start":
      return ["start", name];
    case "info":
      // `dominfo` asks for more than the others' calls do.
      return ["domstate", name];
    case "list all":
      return ["list", "--all", "--name"];
    case "statistics of all":
      return ["domstats"];
  }
}

/** With `input`, virsh reads its commands from there. */
async function virsh(socketPath: string, words: readonly string[], input?: string): Promise<void> {
  const child = spawn("virsh", ["--quiet", "--connect", foreignUri(socketPath), ...words], {
    stdio: [input === undefined ? "ignore" : "pipe", "ignore", "pipe"],
  });
  // Where virsh ends before it has read everything, its status and words tell why.
  child.stdin?.on("error", () => undefined).end(input);
  const closed = once(child, "close");
  const complaints = child.stderr === null ? "" : await text(child.stderr);
  await closed;
  if (child.exitCode !== 0) throw new Error(`virsh ${words.join(" ")}: ${complaints.trim()}`);
}

function sessionOf(verbs: Verbs, inFlight: number, close: () => Promise<void>): Session {
  return {
    run: (operation, names) => {
      const verb = verbs[operation];
      return verb && inParallel(names, inFlight, verb);
    },
    [Symbol.asyncDispose]: close,
  };
}

function known<Value>(values: ReadonlyMap<string, Value>, name: string): Value {
  const value = values.get(name);
  if (value === undefined) throw new Error(`the bench did not define ${name}`);
  return value;
}
