/** For how long something has been so, but for pauses that are too short to be noticed. */
export class Streak {
  readonly #bearableMs: number;
  #sinceMs = 0;
  #pausedAtMs: number | undefined;

  /** @param bearableMs how long a pause may be that does not count */
  constructor(bearableMs: number) {
    this.#bearableMs = bearableMs;
  }

  /** It is so from now on, whatever was before. */
  begin(nowMs: number): void {
    this.#sinceMs = nowMs;
    this.#pausedAtMs = undefined;
  }

  /** To be called whenever that may have changed. */
  look(nowMs: number, isSo: boolean): void {
    if (!isSo) this.#pausedAtMs ??= nowMs;
    else if (this.#isBroken(nowMs)) this.begin(nowMs);
    else this.#pausedAtMs = undefined;
  }

  lastedMs(nowMs: number): number {
    return this.#isBroken(nowMs) ? 0 : nowMs - this.#sinceMs;
  }

  #isBroken(nowMs: number): boolean {
    return this.#pausedAtMs !== undefined && nowMs - this.#pausedAtMs > this.#bearableMs;
  }
}
