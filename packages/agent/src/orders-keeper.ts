/**
 * The orders in force: read anew whenever they may have changed, accepted only if they are newer
 * (I5), and kept on disk, so that an agent restarted with the store away keeps everything alive.
 * Orders for another machine that bears the host's name are left alone: this one goes on by those
 * that it has, reports nothing and answers for nobody until there are newer ones for it.
 */
import { ordersCodec } from "@evm/codec";
import { type AgentId, type Applied, acceptOrders, type Clock, type Orders } from "@evm/fleet";
import type { HostStore } from "@evm/store";
import { type Log, Wake, withDeadline } from "@evm/telemetry";
import type { EventLog } from "./events.ts";
import { type AgentMetrics, measureUse } from "./metrics.ts";
import type { StateDir } from "./state-dir.ts";

const FILE = "orders.binpb";
/** A watch only wakes early; this is what the agent relies on. */
const POLL_MS = 30_000;
/** After a read that failed; a change of JetStream's leader takes up to ten seconds. */
const RETRY_MS = 2_000;
const READ_TIMEOUT_MS = 10_000;

const NOTHING: Applied = { epoch: 0, generation: 0 };

export type OrdersKeeperOptions = {
  readonly id: AgentId;
  readonly store: Pick<HostStore, "host" | "readOrders" | "watchOrders">;
  readonly stateDir: StateDir;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: AgentMetrics;
  readonly events: EventLog;
  /**
   * Called when other orders are in force, and when they are on disk later than that; also where
   * this machine is the host again without any.
   */
  readonly onChange: () => void;
  /** Called when this machine is the host, as far as it knows; the signal fires once it is not. */
  readonly onHost: (asHost: AbortSignal) => void;
};

export class OrdersKeeper {
  readonly #options: OrdersKeeperOptions;
  #current: Orders | undefined;
  #kept: Orders | undefined;
  /** Whether the last read succeeded, so that only a change is told. */
  #isReadable = false;
  /** Why orders were refused last, so that it is told once and not every 30 seconds. */
  #refusal: string | undefined;
  /** While it works, and this machine is the host as far as it knows. */
  #asHost: AbortController | undefined;

  constructor(options: OrdersKeeperOptions) {
    this.#options = options;
  }

  /** Undefined until there were any. */
  get current(): Orders | undefined {
    return this.#current;
  }

  /** Those on disk; undefined until there were any. */
  get kept(): Orders | undefined {
    return this.#kept;
  }

  /** False while the orders that are stored are for another machine of this name. */
  get isHost(): boolean {
    return this.#asHost !== undefined;
  }

  /**
   * What the host may say that it has applied: orders in force that are on disk. What is in force
   * alone would be undone by a crash, and others act on what a host says (I1, I5).
   */
  get applied(): Applied {
    return this.#kept ?? NOTHING;
  }

  /** Takes up the orders that an earlier run of the agent kept. */
  async load(): Promise<void> {
    const { id, stateDir, log, store } = this.#options;
    const content = await stateDir.read(FILE);
    if (content === undefined) return;
    try {
      const orders = ordersCodec.decode(content);
      if (orders.host !== store.host) {
        throw new Error(`they are for host ${orders.host}, and this is ${store.host}`);
      }
      if (orders.agent !== id) {
        throw new Error(`they are for agent ${orders.agent}, and this is ${id}`);
      }
      this.#use(orders);
      this.#kept = orders;
      log.info("orders taken up from disk", { generation: orders.generation, epoch: orders.epoch });
    } catch (error) {
      const aside = await stateDir.setAside(FILE);
      log.error("the orders on disk cannot be used; waiting for the store's", { aside, error });
    }
  }

  /** Keeps them current until the signal fires. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, clock, onChange } = this.#options;
    const wake = new Wake();
    store.watchOrders(() => wake.wake(), signal);
    this.#setHost(true, signal);
    while (!signal.aborted) {
      const isRead = await this.#refresh(signal);
      const unsaved = this.#unsaved;
      if (unsaved !== undefined && (await this.#save(unsaved))) onChange();
      const isDone = isRead && this.#unsaved === undefined;
      await wake.wait(isDone ? POLL_MS : RETRY_MS, clock, signal);
    }
  }

  get #unsaved(): Orders | undefined {
    return this.#current?.generation === this.#kept?.generation ? undefined : this.#current;
  }

  async #refresh(signal: AbortSignal): Promise<boolean> {
    const { store, clock, log } = this.#options;
    const deadline = { clock, ms: READ_TIMEOUT_MS, signal, doing: "reading orders" };
    try {
      const incoming = await withDeadline(deadline, (limited) => store.readOrders(limited));
      if (incoming === undefined) this.#regain(signal);
      else await this.#consider(incoming, signal);
      if (!this.#isReadable) log.info("orders can be read");
      this.#isReadable = true;
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (this.#isReadable) log.warn("orders cannot be read: the last ones stay", { error });
      this.#isReadable = false;
      return false;
    }
  }

  async #consider(incoming: Orders, signal: AbortSignal): Promise<void> {
    const { agent, epoch, generation } = incoming;
    const { id } = this.#options;
    const acceptance = acceptOrders(id, this.#current, incoming);
    switch (acceptance.kind) {
      case "same":
        return;
      case "refused":
        // A restore left the host out, whichever machine that was.
        if (agent === undefined) this.#regain(signal);
        return this.#refuse(incoming, acceptance.reason);
      case "foreign":
        this.#setHost(false, signal);
        return this.#refuse(
          incoming,
          `they are for agent ${agent}, this is ${id}: another machine has the name of this host`,
        );
      case "accepted":
        this.#refusal = undefined;
        this.#setHost(true, signal);
        // On disk first: what is acted on must survive a crash (I5). A full disk is told, but
        // must not keep the host from stopping what it is to stop; it may only not say so.
        await this.#save(incoming);
        this.#use(incoming);
        this.#options.log.info("orders accepted", {
          epoch,
          generation,
          instances: incoming.instances.length,
        });
        this.#options.onChange();
    }
  }

  #refuse({ epoch, generation }: Orders, reason: string): void {
    if (this.#refusal === reason) return;
    this.#refusal = reason;
    const { log, metrics, events } = this.#options;
    metrics.ordersRefused.inc();
    log.error("orders refused", { epoch, generation, reason });
    events.append({
      severity: "error",
      reason: "OrdersRefused",
      text: `orders of epoch ${epoch}, generation ${generation} were refused: ${reason}`,
    });
  }

  /** None are for another machine any more, as where the control state was lost. */
  #regain(signal: AbortSignal): void {
    if (this.isHost) return;
    this.#setHost(true, signal);
    this.#options.onChange();
  }

  #setHost(isHost: boolean, signal: AbortSignal): void {
    const { metrics, onHost } = this.#options;
    if (isHost === this.isHost) return;
    metrics.isRefused.set(isHost ? 0 : 1);
    this.#asHost?.abort();
    this.#asHost = isHost ? new AbortController() : undefined;
    if (this.#asHost !== undefined) onHost(AbortSignal.any([signal, this.#asHost.signal]));
  }

  #use(orders: Orders): void {
    const { metrics } = this.#options;
    this.#current = orders;
    metrics.epoch.set(orders.epoch);
    metrics.generation.set(orders.generation);
    measureUse(orders, metrics);
  }

  async #save(orders: Orders): Promise<boolean> {
    try {
      await this.#options.stateDir.write(FILE, ordersCodec.encode(orders));
      this.#kept = orders;
      return true;
    } catch (error) {
      this.#options.log.error("the orders in force cannot be saved; trying again", { error });
      return false;
    }
  }
}
