import type { HostName, InstanceName } from "@evm/fleet";
import {
  isTakenInAfter,
  isUp,
  keyOf,
  NOWHERE,
  type Oracle,
  type Places,
  type Truth,
} from "./truth.ts";

/**
 * I1: no instance is ordered to run on two hosts, no incarnation is alive on two, and no host has
 * two incarnations of an instance alive, unless its driver told its agent that one was not. A
 * restore writes what each host goes by, that was lost and succeeded, too, or that succeeded what
 * has been planned since: until orders are planned anew there may be an older incarnation as well.
 */
export const singleRun = (): Oracle => ({
  invariant: "I1",
  look: (truth) =>
    [...truth.changes.names].flatMap((name) => [
      ...orderedTwice(name, truth),
      ...aliveTwice(name, truth),
    ]),
});

function orderedTwice(name: InstanceName, truth: Truth): readonly string[] {
  const { ordered } = truth.places.get(name) ?? NOWHERE;
  const all = ordered.filter(({ one }) => one.desired === "run");
  const incarnation = Math.max(...all.map(({ one }) => one.incarnation));
  const newest = all.filter(({ one }) => one.incarnation === incarnation);
  const isFound = (older: HostName): boolean =>
    truth.restored.has(older) || newest.every((it) => isTakenInAfter(it, older, truth));
  const toRun = all.filter((it) => newest.includes(it) || !isFound(it.host));
  if (toRun.length < 2) return [];
  const where = toRun.map(({ host, one }) => `${keyOf(one)} on ${host}`);
  return [`ordered to run: ${where.join(", and ")}`];
}

function aliveTwice(name: InstanceName, { places, hosts, nowMs }: Truth): readonly string[] {
  const wasDenied = ({ host, one }: Places["existing"][number]): boolean =>
    hosts.get(host)?.excuses(one, nowMs).includes("driver lied") === true;
  const alive = (places.get(name) ?? NOWHERE).existing.filter(({ one }) => isUp(one));
  if (alive.length < 2) return [];
  return alive.flatMap(({ host, one }, at) =>
    alive.slice(at + 1).flatMap((other) => {
      if (wasDenied({ host, one }) || wasDenied(other)) return [];
      if (keyOf(one) === keyOf(other.one)) {
        return [`${keyOf(one)} is alive on ${host} and on ${other.host}`];
      }
      if (host !== other.host) return [];
      return [`${keyOf(one)} and ${keyOf(other.one)} are both alive on ${host}`];
    }),
  );
}
