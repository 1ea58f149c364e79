import type { Digest, Resources } from "@evm/fleet";
import { type HostTruth, isUp, type Oracle, type Truth } from "./truth.ts";

/** I3: neither what is ordered to run on a host nor what truly runs there exceeds its capacity. */
export const capacity = (): Oracle => ({
  invariant: "I3",
  look: (truth) => [...orderedTooMuch(truth), ...runsTooMuch(truth)],
});

function orderedTooMuch({ changes, hosts, resources }: Truth): readonly string[] {
  return changes.orders.flatMap(({ host, instances }) => {
    const toRun = instances.flatMap((one) => (one.desired === "run" ? [one.template] : []));
    const limit = hosts.get(host)?.capacity;
    if (limit === undefined) return [`${host} is ordered to run something, and there is none`];
    return excess(sum(toRun, resources), limit, `${host} is ordered to run`);
  });
}

function runsTooMuch({ changes, resources, nowMs }: Truth): readonly string[] {
  return changes.hosts.flatMap((host) => {
    const alive = host.instances.filter(isUp);
    const excessOf = (instances: HostTruth["instances"]): readonly string[] => {
      const templates = instances.map((one) => one.templateDigest);
      return excess(sum(templates, resources), host.capacity, `${host.name} runs`);
    };
    // Excuses are looked for where they are needed.
    if (excessOf(alive).length === 0) return [];
    return excessOf(alive.filter((one) => !host.excuses(one, nowMs).includes("driver lied")));
  });
}

/** What instances of these templates take together. */
export function sum(
  templates: readonly Digest[],
  resources: ReadonlyMap<Digest, Resources>,
): Resources {
  const total = { vcpuMillis: 0, memoryMib: 0, diskMib: 0 };
  for (const template of templates) {
    const needs = resources.get(template);
    total.vcpuMillis += needs?.vcpuMillis ?? 0;
    total.memoryMib += needs?.memoryMib ?? 0;
    total.diskMib += needs?.diskMib ?? 0;
  }
  return total;
}

function excess(used: Resources, limit: Resources, what: string): readonly string[] {
  const kinds = ["vcpuMillis", "memoryMib", "diskMib"] as const;
  return kinds.flatMap((kind) =>
    used[kind] <= limit[kind] ? [] : [`${what} ${used[kind]} ${kind} of ${limit[kind]}`],
  );
}
