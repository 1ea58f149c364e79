/**
 * What a commit costs: latency on one nats-server and on a cluster of three, all on this machine
 * and with every write synced to disk. Run by `node test/bench/store.ts [--json]`.
 */
import {
  type Digest,
  type HostName,
  instanceName,
  isDigest,
  isFleetName,
  isHostName,
  type Orders,
} from "../../packages/fleet/src/index.ts";
import { type CoordinatorStore, connectCoordinator } from "../../packages/store/src/index.ts";
import { startNatsCluster, startNatsServer } from "../support/nats-server.ts";
import { printTable } from "./support/table.ts";

type Row = {
  readonly servers: number;
  readonly what: string;
  readonly commits: number;
  /** Until the commit is acknowledged. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Until another coordinator sees it. */
  readonly seenP50Ms: number;
};

const SHAPES = [
  { what: "1 host, 20 instances", hosts: 1, commits: 300 },
  { what: "50 hosts, 1,000 instances", hosts: 50, commits: 50 },
  { what: "500 hosts, 10,000 instances", hosts: 500, commits: 10 },
] as const;
const INSTANCES_PER_HOST = 20;
const BENCH_DEADLINE_MS = 300_000;

async function main(): Promise<void> {
  const rows: Row[] = [];
  for (const size of [1, 3]) rows.push(...(await measure(size)));
  if (process.argv.includes("--json")) console.log(JSON.stringify(rows, undefined, 2));
  else print(rows);
}

async function measure(size: number): Promise<readonly Row[]> {
  await using stack = new AsyncDisposableStack();
  const servers =
    size === 1
      ? [stack.use(await startNatsServer()).url]
      : stack.use(await startNatsCluster(size)).urls;
  const signal = AbortSignal.timeout(BENCH_DEADLINE_MS);
  const onError = (error: Error) => console.error(error.message);
  const connect = async (id: string) =>
    stack.use(await connectCoordinator({ servers, id, signal, onError }));
  const [leader, follower] = [await connect("c1"), await connect("c2")];
  const claim = await leader.claimEpoch("c1", 0, signal);
  if (claim.kind !== "written") throw new Error("bench: the epoch is taken");
  await leader.caughtUp(claim.revision, signal);
  const rows: Row[] = [];
  for (const shape of SHAPES) {
    rows.push({ servers: size, ...(await commits(leader, follower, claim.revision, shape)) });
  }
  return rows;
}

async function commits(
  leader: CoordinatorStore,
  follower: CoordinatorStore,
  epoch: number,
  shape: (typeof SHAPES)[number],
): Promise<Omit<Row, "servers">> {
  const signal = AbortSignal.timeout(BENCH_DEADLINE_MS);
  const acknowledged: number[] = [];
  const seen: number[] = [];
  for (let generation = 1; generation <= shape.commits; generation++) {
    const known = leader.control().orders;
    const writes = Array.from({ length: shape.hosts }, (_, index) => {
      const value = orders(hostName(index), epoch, generation);
      return { value, expectedRevision: known.get(value.host)?.revision ?? 0 };
    });
    const start = performance.now();
    const outcome = await leader.commit(
      { epoch, orders: writes, fleets: [], forgottenFleets: [] },
      signal,
    );
    acknowledged.push(performance.now() - start);
    if (outcome.kind !== "committed") throw new Error(`bench: ${outcome.reason}`);
    await follower.caughtUp(outcome.revision, signal);
    seen.push(performance.now() - start);
    await leader.caughtUp(outcome.revision, signal);
  }
  return {
    what: shape.what,
    commits: shape.commits,
    p50Ms: quantile(acknowledged, 0.5),
    p99Ms: quantile(acknowledged, 0.99),
    seenP50Ms: quantile(seen, 0.5),
  };
}

function orders(host: HostName, epoch: number, generation: number): Orders {
  const fleet = named(isFleetName, "school-linux");
  const template: Digest = named(isDigest, `sha256:${"0".repeat(64)}`);
  const instances = Array.from({ length: INSTANCES_PER_HOST }, (_, index) => ({
    name: instanceName(fleet, index),
    fleet,
    index,
    incarnation: 1,
    template,
    desired: "run" as const,
  }));
  return { host, agent: undefined, epoch, generation, templates: [], fleets: [], instances };
}

const hostName = (index: number): HostName => named(isHostName, `host-${index}`);

function named<Name extends string>(isName: (text: string) => text is Name, text: string): Name {
  if (!isName(text)) throw new Error(`bench: "${text}" is not a name`);
  return text;
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

function print(rows: readonly Row[]): void {
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  printTable([
    ["one commit of", "servers", "commits", "p50", "p99", "seen by another, p50"],
    ...rows.map((row) => [
      row.what,
      String(row.servers),
      String(row.commits),
      ms(row.p50Ms),
      ms(row.p99Ms),
      ms(row.seenP50Ms),
    ]),
  ]);
}

await main();
