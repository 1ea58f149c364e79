/**
 * Whether a history keeps the promise of I6: no acknowledged write is lost. Pure.
 *
 *  H1 A revision has one content: no two answers show it with different ones.
 *  H2 A write that begins after another was acknowledged gets a later revision; an equal one only
 *     where it asked for what was so already.
 *  H3 An acknowledgement shows what was written, or what another wrote that may have come after it.
 *  H4 In the end each fleet is as its last write made it: one that is acknowledged or unknown, and
 *     that no acknowledged one came after for certain.
 */
import type { Operation, Shown, Write } from "./history.ts";

/** By fleet; undefined where there is none. */
export type Final = ReadonlyMap<string, Shown | undefined>;

type Acknowledged = Operation & { readonly outcome: { readonly kind: "ok" } };
type Answered = Acknowledged & { readonly outcome: { readonly shown: Shown } };

/** One sentence for each breach. */
export function checkHistory(operations: readonly Operation[], final: Final): readonly string[] {
  const byFleet = Map.groupBy(operations, ({ fleet }) => fleet);
  return [...byFleet].flatMap(([fleet, own]) => {
    if (!final.has(fleet)) return [`${fleet}: nobody looked what became of it`];
    const end = final.get(fleet);
    return [
      ...revisionsWithTwoContents(own, end),
      ...outOfOrder(own),
      ...notShown(own),
      ...lost(own, end),
    ].map((breach) => `${fleet}: ${breach}`);
  });
}

/** H1. */
function revisionsWithTwoContents(
  operations: readonly Operation[],
  end: Shown | undefined,
): readonly string[] {
  const shown = operations.filter(isAnswered).map(({ outcome }) => outcome.shown);
  const all = end === undefined ? shown : [...shown, end];
  return [...Map.groupBy(all, ({ revision }) => revision)].flatMap(([revision, same]) => {
    const contents = new Set(same.map(contentOf));
    if (contents.size < 2) return [];
    return [`H1: revision ${revision} was shown as ${[...contents].join(" and as ")}`];
  });
}

/** H2. */
function outOfOrder(operations: readonly Operation[]): readonly string[] {
  const answered = operations.filter(isAnswered);
  return answered.flatMap((earlier) =>
    answered.flatMap((later) => {
      if (!isAfter(later, earlier)) return [];
      const [before, after] = [earlier.outcome.shown.revision, later.outcome.shown.revision];
      if (after > before || (after === before && mayChangeNothing(later, earlier))) return [];
      return [`H2: ${nameOf(later)} got revision ${after}, after ${nameOf(earlier)} got ${before}`];
    }),
  );
}

/** What asks for what is so already writes nothing: it gets the revision that says so. */
const mayChangeNothing = (later: Answered, earlier: Answered): boolean =>
  later.write.kind !== "apply" &&
  contentOf(later.outcome.shown) === contentOf(earlier.outcome.shown);

/** H3. */
function notShown(operations: readonly Operation[]): readonly string[] {
  return operations.filter(isAnswered).flatMap((one) => {
    return REGISTERS.flatMap(({ name, writtenBy, shownBy }) => {
      const [written, shown] = [writtenBy(one.write), shownBy(one.outcome.shown)];
      if (written === undefined || written === shown) return [];
      const isOthers = operations.some(
        (other) =>
          other !== one &&
          other.outcome.kind !== "refused" &&
          writtenBy(other.write) === shown &&
          !isAfter(one, other) &&
          !isAfter(other, one),
      );
      if (isOthers) return [];
      return [`H3: ${nameOf(one)} was acknowledged with ${name} ${shown}`];
    });
  });
}

/** H4. */
function lost(operations: readonly Operation[], end: Shown | undefined): readonly string[] {
  return REGISTERS.flatMap(({ name, writtenBy, shownBy }) => {
    const writes = operations.filter(
      ({ write, outcome }) => outcome.kind !== "refused" && writtenBy(write) !== undefined,
    );
    const last = writes.filter(
      (one) => !writes.some((other) => isAcknowledged(other) && isAfter(other, one)),
    );
    const allowed = new Set(last.map(({ write }) => writtenBy(write)));
    // Nothing is left of a fleet once its deletion is through, and nothing was before its first.
    const shown = end === undefined ? GONE : shownBy(end);
    if (end === undefined && !writes.some(isAcknowledged)) return [];
    if (allowed.has(shown)) return [];
    const expected = last.map((one) => `${nameOf(one)} (${one.outcome.kind})`).join(" or ");
    return [`H4: ${name} is ${shown} in the end, and the last write was ${expected}`];
  });
}

const GONE = "gone";

/** What of a fleet is written on its own: a scale leaves the tag of the apply before it. */
const REGISTERS: readonly {
  readonly name: string;
  /** Undefined: that write leaves it as it is. */
  readonly writtenBy: (write: Write) => string | undefined;
  readonly shownBy: (shown: Shown) => string;
}[] = [
  {
    name: "its size",
    writtenBy: (write) => (write.kind === "delete" ? GONE : String(write.replicas)),
    shownBy: ({ isDeleting, replicas }) => (isDeleting ? GONE : String(replicas)),
  },
  {
    name: "its tag",
    writtenBy: (write) => {
      switch (write.kind) {
        case "apply":
          return write.tag;
        case "scale":
          return undefined;
        case "delete":
          return GONE;
      }
    },
    shownBy: ({ isDeleting, tag }) => (isDeleting ? GONE : tag),
  },
];

const isAcknowledged = (operation: Operation): operation is Acknowledged =>
  operation.outcome.kind === "ok";

const isAnswered = (operation: Operation): operation is Answered =>
  operation.outcome.kind === "ok" && operation.outcome.shown !== undefined;

/** Whether it began after the other had ended; what is unknown may go on for ever. */
const isAfter = (later: Operation, earlier: Operation): boolean =>
  earlier.outcome.kind !== "unknown" && earlier.outcome.endedAtMs < later.invokedAtMs;

const contentOf = ({ replicas, tag, isDeleting }: Shown): string =>
  `${replicas} (${tag})${isDeleting ? ", being deleted" : ""}`;

const nameOf = ({ write }: Operation): string =>
  write.kind === "delete" ? "delete" : `${write.kind} ${write.replicas}${tagOf(write)}`;

const tagOf = (write: Write): string => (write.kind === "apply" ? ` (${write.tag})` : "");
