/** What a client asked for while things broke, and what it was told. */

/** What it wanted the fleet to be. `tag` marks an apply: no two of them write the same. */
export type Write =
  | { readonly kind: "apply"; readonly replicas: number; readonly tag: string }
  | { readonly kind: "scale"; readonly replicas: number }
  | { readonly kind: "delete" };

/** A fleet as an answer showed it. */
export type Shown = {
  readonly revision: bigint;
  readonly replicas: number;
  readonly tag: string;
  readonly isDeleting: boolean;
};

/** Times on one clock, in milliseconds. */
export type Operation = {
  readonly fleet: string;
  readonly write: Write;
  /** Who was asked. */
  readonly coordinator: string;
  readonly invokedAtMs: number;
  readonly outcome: Outcome;
};

export type Outcome =
  /** Acknowledged: it holds, whatever breaks. A deletion may be through before it can be shown. */
  | { readonly kind: "ok"; readonly endedAtMs: number; readonly shown: Shown | undefined }
  /** Refused: it changed nothing, and never will. */
  | { readonly kind: "refused"; readonly endedAtMs: number; readonly reason: string }
  /** No answer, or none that says: it may have been carried out, or may be at any time later. */
  | { readonly kind: "unknown"; readonly reason: string };

/** For a person, with when it was asked, in seconds. */
export const describeOperation = ({
  fleet,
  write,
  coordinator,
  invokedAtMs,
  outcome,
}: Operation): string =>
  `${(invokedAtMs / 1000).toFixed(2).padStart(8)} ${coordinator} ${fleet} ` +
  `${describeWrite(write)}: ${describeOutcome(outcome)}`;

function describeWrite(write: Write): string {
  switch (write.kind) {
    case "apply":
      return `apply ${write.replicas} (${write.tag})`;
    case "scale":
      return `scale ${write.replicas}`;
    case "delete":
      return "delete";
  }
}

function describeOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "ok": {
      if (outcome.shown === undefined) return "gone";
      const { revision, replicas, tag, isDeleting } = outcome.shown;
      return `revision ${revision}: ${replicas} (${tag})${isDeleting ? ", being deleted" : ""}`;
    }
    case "refused":
      return `refused: ${outcome.reason}`;
    case "unknown":
      return `unknown: ${outcome.reason}`;
  }
}
