/**
 * Which of the machines that bear one host name is heard as the host, and which is not: see
 * `addressee`. Where no orders say, it is the one that was heard first, until it falls silent.
 */
import { type AgentId, type Heartbeat, type HostName, type Orders, speaksFor } from "@evm/fleet";
import type { LivenessOptions } from "./liveness.ts";

type Heard = { readonly agent: AgentId; readonly atMs: number };

export class Namesakes {
  /** Who is silent for longer is not there. */
  readonly #limitMs: number;
  readonly #hosts = new Map<HostName, Heard>();
  readonly #heard = new Map<HostName, Heard>();
  #rivals: ReadonlyMap<HostName, AgentId> = new Map();

  constructor({ leaseMs, marginMs }: LivenessOptions) {
    this.#limitMs = leaseMs + marginMs;
  }

  /** Whether a heartbeat is the host's; whoever else it is of is a rival. */
  isHost(heartbeat: Heartbeat, orders: Orders | undefined, nowMs: number): boolean {
    const { host, agent } = heartbeat;
    const isHost = speaksFor(heartbeat, orders, this.#fresh(this.#hosts.get(host), nowMs));
    if (isHost) this.#hosts.set(host, { agent, atMs: nowMs });
    const rival = this.#fresh(this.#heard.get(host), nowMs);
    if (isHost && rival === agent) this.#heard.delete(host);
    // Of several the first stays, so that it does not change with every heartbeat.
    if (!isHost && (rival ?? agent) === agent) this.#heard.set(host, { agent, atMs: nowMs });
    return isHost;
  }

  /** Who bears a host's name and is refused; another map whenever that changes. */
  rivals(nowMs: number): ReadonlyMap<HostName, AgentId> {
    for (const [host, heard] of this.#heard) {
      if (this.#fresh(heard, nowMs) === undefined) this.#heard.delete(host);
    }
    const isKnown = ([host, { agent }]: [HostName, Heard]) => this.#rivals.get(host) === agent;
    const areKnown = this.#heard.size === this.#rivals.size && [...this.#heard].every(isKnown);
    if (!areKnown) {
      this.#rivals = new Map([...this.#heard].map(([host, { agent }]) => [host, agent]));
    }
    return this.#rivals;
  }

  #fresh(heard: Heard | undefined, nowMs: number): AgentId | undefined {
    return heard !== undefined && nowMs - heard.atMs <= this.#limitMs ? heard.agent : undefined;
  }
}
