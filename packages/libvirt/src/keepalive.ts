/** The keepalive program's procedures. */
export const KeepaliveProcedure = { ping: 1, pong: 2 } as const;

/** How a dead daemon, or a dead way to it, is noticed. */
export interface KeepaliveOptions {
  /** How long the daemon may be silent before it is asked for a sign of life. */
  readonly intervalMs: number;
  /** How many such questions in a row may stay unanswered before the connection is given up. */
  readonly misses: number;
}

/** libvirt's own defaults: a dead daemon is noticed within half a minute. */
export const DEFAULT_KEEPALIVE: KeepaliveOptions = { intervalMs: 5_000, misses: 5 };

/** Asks for a sign of life whenever an interval passed in silence, and gives up in the end. */
export class Keepalive {
  readonly #timer: NodeJS.Timeout;
  #wasHeard = true;
  #misses = 0;

  constructor(options: KeepaliveOptions, ping: () => void, giveUp: () => void) {
    this.#timer = setInterval(() => {
      if (this.#wasHeard) {
        this.#wasHeard = false;
        this.#misses = 0;
      } else if (this.#misses >= options.misses) {
        giveUp();
      } else {
        this.#misses += 1;
        ping();
      }
    }, options.intervalMs);
  }

  /** Something arrived: the daemon lives. */
  heard(): void {
    this.#wasHeard = true;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
