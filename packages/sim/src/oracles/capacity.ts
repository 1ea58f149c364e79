import type { Digest, Resources } from "@evm/fleet";
import { isUp, type Oracle, type Truth } from "./truth.ts";

/** I3: neither what is ordered to run on a host nor what truly runs there exceeds its capacity. */
export const capacity = (): Oracle => ({ invariant: "I3", look });

function look({ control, hosts, resources }: Truth): readonly string[] {
  return hosts.flatMap((host) => {
    const ordered = control.orders.get(host.name)?.value.instances ?? [];
    const toRun = ordered.flatMap((one) => (one.desired === "run" ? [one.template] : []));
    const alive = host.instances.filter(isUp).map((one) => one.templateDigest);
    return [
      ...excess(sum(toRun, resources), host.capacity, `${host.name} is ordered to run`),
      ...excess(sum(alive, resources), host.capacity, `${host.name} runs`),
    ];
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
