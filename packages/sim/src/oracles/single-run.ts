import type { HostName } from "@evm/fleet";
import { isUp, keyOf, type Oracle, type Truth } from "./truth.ts";

/**
 * I1: no instance is ordered to run on two hosts, no incarnation is alive on two, and no host has
 * two incarnations of an instance alive.
 */
export const singleRun = (): Oracle => ({
  invariant: "I1",
  look: (truth) => [...orderedTwice(truth), ...aliveTwice(truth)],
});

function orderedTwice({ control }: Truth): readonly string[] {
  const found: string[] = [];
  const places = new Map<string, string>();
  for (const [host, { value }] of control.orders) {
    for (const one of value.instances) {
      if (one.desired !== "run") continue;
      const place = `${keyOf(one)} on ${host}`;
      const other = places.get(one.name);
      if (other !== undefined) found.push(`ordered to run: ${other}, and ${place}`);
      places.set(one.name, place);
    }
  }
  return found;
}

function aliveTwice({ hosts }: Truth): readonly string[] {
  const found: string[] = [];
  const hostOf = new Map<string, HostName>();
  for (const { name: host, instances } of hosts) {
    const here = new Map<string, string>();
    for (const one of instances.filter(isUp)) {
      const key = keyOf(one);
      const other = hostOf.get(key);
      if (other !== undefined) found.push(`${key} is alive on ${other} and on ${host}`);
      hostOf.set(key, host);
      const twin = here.get(one.name);
      if (twin !== undefined) found.push(`${twin} and ${key} are both alive on ${host}`);
      here.set(one.name, key);
    }
  }
  return found;
}
