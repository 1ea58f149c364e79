/**
 * A life of the control state ends where its data is lost, and the next begins with a restore. That
 * does not hear of everything: of a host that is away nobody may know, nor of what it was ordered.
 * So each life has numbers of its own, above those of all lives before it. An epoch's base tells
 * them apart.
 */

/**
 * Epochs of one life differ by less than this: an epoch is a revision, and so many would take seven
 * years at the pace at which NATS takes them at its best. There is room for 9,000 lives.
 */
const EPOCHS_PER_LIFE = 1_000_000_000_000;

/** No instance is made afresh that often in one life: ten times a day for 27 years. */
const INCARNATIONS_PER_LIFE = 100_000;

/** The base of the life that follows one of this epoch; undefined where there is no room. */
export function nextEpochBase(epoch: number): number | undefined {
  const base = (Math.floor(epoch / EPOCHS_PER_LIFE) + 1) * EPOCHS_PER_LIFE;
  return base + EPOCHS_PER_LIFE <= Number.MAX_SAFE_INTEGER ? base : undefined;
}

/** The least number that is given to an incarnation in the life with this base. */
export const firstIncarnation = (epochBase: number): number =>
  1 + INCARNATIONS_PER_LIFE * Math.floor(epochBase / EPOCHS_PER_LIFE);
