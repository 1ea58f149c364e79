/** Who has which stream, as the NATS servers say themselves. */
import type { NatsNode } from "../../support/world/parts.ts";

type Stream = {
  readonly name: string;
  readonly cluster: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean }[];
  };
};

/** Undefined where nobody leads it. */
export async function streamLeader(
  nodes: readonly NatsNode[],
  stream: string,
): Promise<NatsNode | undefined> {
  for (const node of nodes) {
    const own = (await streamsOf(node)).find(({ name }) => name === stream);
    if (own?.cluster.leader === node.machine.name) return node;
  }
  return undefined;
}

/** What is missing until every stream is led and all servers have all of it: one may fail then. */
export async function missingOfStreams(nodes: readonly NatsNode[]): Promise<readonly string[]> {
  const all = await Promise.all(nodes.map(streamsOf));
  const names = [...new Set(all.flat().map(({ name }) => name))];
  if (names.length === 0) return ["any stream"];
  const led = nodes.flatMap(({ machine }, at) =>
    (all[at] ?? []).filter(({ cluster }) => cluster.leader === machine.name),
  );
  return names.flatMap((name) => {
    const [own, another] = led.filter((stream) => stream.name === name);
    if (own === undefined) return [`a leader of ${name}`];
    if (another !== undefined) return [`the end of another leader of ${name}`];
    const { replicas = [] } = own.cluster;
    if (replicas.length !== nodes.length - 1) return [`replicas of ${name}`];
    return replicas
      .filter(({ current }) => !current)
      .map((replica) => `of ${name} what is new: ${JSON.stringify(replica)}`);
  });
}

/** None where the server does not answer. */
async function streamsOf({ machine }: NatsNode): Promise<readonly Stream[]> {
  try {
    const url = "http://127.0.0.1:8222/jsz?streams=true";
    const answer = JSON.parse(await machine.run("busybox", "wget", "-qO-", url));
    return answer.account_details?.flatMap((one: { stream_detail?: Stream[] }) => {
      return one.stream_detail ?? [];
    });
  } catch {
    return [];
  }
}
