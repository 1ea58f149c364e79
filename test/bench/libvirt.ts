/**
 * EVM's libvirt client against virsh and native bindings, side by side on libvirt's test
 * hypervisor: calls per second, and what a call costs the client in CPU time. Run as root by
 * `node test/bench/libvirt.ts [--quick] [--json]`. Every client gets a fresh private libvirtd.
 */
import { parseArgs } from "node:util";
import { connect, ListDomainsFlags } from "../../packages/libvirt/src/index.ts";
import { type PrivateLibvirtd, startLibvirtd } from "../../packages/libvirt/test/libvirtd.ts";
import {
  type Client,
  evmClient,
  isPerDomain,
  nativeClient,
  OPERATIONS,
  type Operation,
  virshBatch,
  virshPerCall,
  WINDOW,
  writeDomainFiles,
} from "./libvirt-clients.ts";
import { cpuMs } from "./support/cpu.ts";
import { printTable, times } from "./support/table.ts";
import { loadUnraid } from "./support/unraid.ts";

type Row = {
  readonly what: Operation;
  readonly client: string;
  readonly inFlight: number;
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly cpuMsPerCall: number;
  /** EVM's calls per second over this client's; for EVM itself undefined. */
  readonly evmFaster: number | undefined;
  /** This client's CPU time over EVM's. */
  readonly evmCheaper: number | undefined;
};
type Measured = Omit<Row, "evmFaster" | "evmCheaper">;

/** How often what covers all domains is asked for: 50 lists of 1,000 are much like 50,000 calls. */
const CALLS_FOR_ALL = 50;
/** Enough for V8 to have compiled what an agent, which runs for months, has long compiled. */
const WARM_UP_DOMAINS = 1_000;
/** More processes at once than the machine has CPUs for gain nothing. */
const PROCESSES = 4;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { quick: { type: "boolean" }, json: { type: "boolean" } },
  });
  const domains = values.quick === true ? 100 : 1_000;
  const native = await loadUnraid();
  const clients = (many: boolean): readonly Client[] => [
    evmClient(many ? WINDOW : 1),
    ...(native.kind === "usable" ? [nativeClient(many ? WINDOW : 1, native.create)] : []),
    ...(many ? [] : [virshBatch()]),
    virshPerCall(many ? PROCESSES : 1),
  ];
  const rows: Row[] = [];
  for (const many of [false, true]) {
    const measured: Measured[] = [];
    for (const client of clients(many)) measured.push(...(await measure(client, domains)));
    rows.push(...compared(measured));
  }
  if (values.json === true) console.log(JSON.stringify({ domains, native, rows }, undefined, 2));
  else print(domains, rows);
  if (native.kind === "missing") console.error(`without @unraid/libvirt: ${native.reason}`);
}

async function measure(client: Client, domains: number): Promise<readonly Measured[]> {
  if (client.warmsUp) await round(client, WARM_UP_DOMAINS);
  return await round(client, domains);
}

/** All operations of one client on a hypervisor of its own. */
async function round(client: Client, domains: number): Promise<readonly Measured[]> {
  await using daemon = await startLibvirtd(`max_client_requests = ${WINDOW + 1}\n`);
  // The test hypervisor lasts while somebody is connected.
  await using eyes = await connect({ socketPath: daemon.socketPath, uri: "test:///default" });
  const names = Array.from({ length: domains }, (_, at) => `bench-${at}`);
  await writeDomainFiles(daemon.folder, names);
  const rows = await measureAll(client, daemon, names);
  const active = await eyes.domains.list({ flags: ListDomainsFlags.active });
  // One domain is there from the start.
  if (active.length !== domains + 1) {
    throw new Error(`${client.name}: ${active.length - 1} of ${domains} domains run`);
  }
  return rows;
}

async function measureAll(
  client: Client,
  daemon: PrivateLibvirtd,
  names: readonly string[],
): Promise<readonly Measured[]> {
  await using session = await client.open(daemon);
  const rows: Measured[] = [];
  for (const what of OPERATIONS) {
    const on = isPerDomain(what) ? names : names.slice(0, CALLS_FOR_ALL);
    const cpuBefore = cpuMs();
    const startedAt = performance.now();
    const running = session.run(what, on);
    if (running === undefined) continue;
    await running;
    const ms = performance.now() - startedAt;
    const cpu = cpuMs() - cpuBefore;
    const { name, inFlight } = client;
    const calls = on.length;
    const callsPerSecond = (calls / ms) * 1000;
    rows.push({ what, client: name, inFlight, calls, callsPerSecond, cpuMsPerCall: cpu / calls });
  }
  return rows;
}

/** By operation, each client beside EVM. */
function compared(measured: readonly Measured[]): readonly Row[] {
  return OPERATIONS.flatMap((what) => {
    const [evm, ...others] = measured.filter((row) => row.what === what);
    if (evm === undefined) return [];
    return [
      { ...evm, evmFaster: undefined, evmCheaper: undefined },
      ...others.map((row) => ({
        ...row,
        evmFaster: evm.callsPerSecond / row.callsPerSecond,
        evmCheaper: row.cpuMsPerCall / evm.cpuMsPerCall,
      })),
    ];
  });
}

function print(domains: number, rows: readonly Row[]): void {
  console.log(`${domains} domains of libvirt's test hypervisor; CPU is the client's alone\n`);
  printTable(
    [
      [
        "what",
        "client",
        "in flight",
        "calls",
        "calls/s",
        "CPU ms/call",
        "EVM faster",
        "EVM cheaper",
      ],
      ...rows.map((row) => [
        row.what,
        row.client,
        String(row.inFlight),
        String(row.calls),
        row.callsPerSecond.toFixed(0),
        row.cpuMsPerCall.toFixed(3),
        times(row.evmFaster),
        times(row.evmCheaper),
      ]),
    ],
    [0, 1],
  );
}

await main();
