import type { HostName } from "../ids.ts";
import {
  actionOn,
  addEntry,
  type HostWork,
  latestOf,
  type Member,
  order,
  type Work,
  wait,
} from "./work.ts";

/** An instance that an operator gave up, and how. */
export type GivenUp = { readonly member: Member; readonly reason: string };

/** Fewer at once would only be slow. */
const MIN_WAVE = 10;

/**
 * Discards what was given up, but only so many at once: `waveShare` of all instances, over all
 * fleets. The next is ended when its host reports an earlier one gone. What does not end holds its
 * place, so that where ending goes wrong it goes wrong for one wave, and the rest is still there to
 * be kept. What is on lost hosts alone ends when these are back: it holds nothing up.
 */
export function endInWaves(work: Work, givenUp: readonly GivenUp[]): void {
  const ending = givenUp.filter(({ member }) => isEnding(member) && !isLost(member));
  let free = waveSize(work) - ending.length;
  let holdUp: string | undefined;
  // By number, for neighbours are mostly on different hosts, which end theirs side by side.
  for (const { member, reason } of givenUp.toSorted((a, b) => a.member.index - b.member.index)) {
    if (isEnding(member) || isLost(member)) {
      discard(work, member, reason);
    } else if (free > 0) {
      free -= 1;
      ending.push({ member, reason });
      discard(work, member, reason);
    } else {
      holdUp ??= describe(ending);
      wait(work, member, holdUp);
    }
  }
}

function waveSize({ fleets, snapshot }: Work): number {
  let instances = 0;
  for (const { members } of fleets.values()) {
    for (const member of members.values()) if (latestOf(member) !== undefined) instances += 1;
  }
  return Math.max(MIN_WAVE, Math.floor(snapshot.waveShare * instances));
}

/** True where every incarnation that is left is ordered to go. */
const isEnding = ({ entries, orphans }: Member): boolean =>
  orphans.every(({ host }) => host.isEstranged) &&
  entries.every((entry) => entry.was === "discard" || entry.desired === "forgotten");

/** True where no host that is not lost has anything of it. */
const isLost = (member: Member): boolean =>
  hostsOf(member).every((host) => host.view.liveness === "lost");

/** What an estranged host runs is none of ours. */
const hostsOf = ({ entries, orphans }: Member): readonly HostWork[] => [
  ...entries.filter((entry) => entry.desired !== "forgotten").map((entry) => entry.host),
  ...orphans.filter(({ host }) => !host.isEstranged).map((orphan) => orphan.host),
];

/** "waits for its wave: 10 are being ended, 7 on h1 and 3 on h2 (docker is away)" */
function describe(ending: readonly GivenUp[]): string {
  const counts = new Map<HostName, number>();
  const troubles = new Map<HostName, string>();
  for (const { member } of ending) {
    const last = member.entries.at(-1);
    if (last === undefined) continue;
    const { name } = last.host.view;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    if (last.observed?.reason !== undefined) troubles.set(name, last.observed.reason);
  }
  const parts = [...counts].map(([host, count]) => {
    const trouble = troubles.get(host);
    return `${count} on ${host}${trouble === undefined ? "" : ` (${trouble})`}`;
  });
  return `waits for its wave: ${ending.length} are being ended, ${parts.join(", ")}`;
}

function discard(work: Work, member: Member, reason: string): void {
  for (const entry of member.entries) {
    if (entry.desired !== "forgotten") order(work, entry, "discard", reason);
  }
  const template = member.fleet.record?.template;
  if (template === undefined) return;
  for (const { host, observed } of member.orphans) {
    if (host.isEstranged) continue;
    const { incarnation } = observed;
    const entry = addEntry(member, host, { incarnation, template, desired: "discard", observed });
    work.actions.push(actionOn(entry, "discard", reason));
  }
  member.orphans.length = 0;
}
