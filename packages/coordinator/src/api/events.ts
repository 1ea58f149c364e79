/** Events: list and watch. */
import { storedEventCodec } from "@evm/codec";
import type { EventFilter, EventService, Handlers } from "@evm/protocol";
import { RpcError } from "@evm/protocol";
import type { EventQuery } from "@evm/store";
import type { ApiContext } from "./context.ts";
import { pageSizeOf } from "./paging.ts";
import { whileConnected } from "./while-connected.ts";

/** How many a watch begins with. */
const WATCH_BACKLOG = 20;

export function eventHandlers({ store, clock }: ApiContext): Handlers<typeof EventService> {
  return {
    async listEvents({ filter, pageSize, pageToken }, { signal }) {
      const limit = pageSizeOf({ pageSize });
      const beforeSequence = pageToken === "" ? undefined : sequenceOf(pageToken);
      const query = { ...queryOf(filter), beforeSequence, limit };
      const events = await store.listEvents(query, signal);
      const oldest = events[0];
      const nextPageToken =
        oldest === undefined || events.length < limit ? "" : String(oldest.sequence);
      return { events: events.map(storedEventCodec.toWire), nextPageToken };
    },
    async *watchEvents({ filter, afterSequence }, { signal }) {
      const query = {
        ...queryOf(filter),
        afterSequence: Number(afterSequence),
        limit: WATCH_BACKLOG,
      };
      const events = whileConnected({ store, clock, signal }, (either) =>
        store.watchEvents(query, either),
      );
      for await (const event of events) yield { event: storedEventCodec.toWire(event) };
    },
  };
}

function queryOf(filter: EventFilter | undefined): EventQuery {
  const given = (text: string | undefined) => (text === "" ? undefined : text);
  return {
    fleet: given(filter?.fleet),
    instance: given(filter?.instance),
    host: given(filter?.host),
    afterSequence: 0,
    beforeSequence: undefined,
    limit: 0,
  };
}

function sequenceOf(token: string): number {
  const sequence = Number(token);
  if (Number.isSafeInteger(sequence) && sequence > 0) return sequence;
  throw new RpcError("invalidArgument", `page_token "${token}": not one that this API gave out`);
}
