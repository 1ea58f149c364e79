/**
 * What a coordinator asks of this host beside orders: an instance's output and its terminal, and
 * the very orders in force, where coordinators have lost theirs.
 */
import { hostConsoleRequestCodec, hostLogsRequestCodec, ordersCodec } from "@evm/codec";
import type { Driver, InstanceRef } from "@evm/drivers";
import { type InstanceName, type Orders, runtimeName, type TemplateKind } from "@evm/fleet";
import { type HostStore, type HostStream, StoreError } from "@evm/store";
import type { Lister } from "./lister.ts";

export type VerbOptions = {
  readonly store: Pick<HostStore, "serveVerb">;
  readonly listers: ReadonlyMap<TemplateKind, Lister>;
  /** Those in force; undefined before the first. */
  readonly orders: () => Orders | undefined;
};

/** Serves them until the signal fires. The store limits how many at once. */
export function serveVerbs(options: VerbOptions, end: AbortSignal): void {
  const { store, listers, orders } = options;
  store.serveVerb(
    "orders",
    async (_request, stream) => {
      const current = orders();
      if (current !== undefined) await stream.send(ordersCodec.encode(current));
    },
    end,
  );
  store.serveVerb(
    "logs",
    async (request, stream, signal) => {
      const { instance, incarnation, ...options } = hostLogsRequestCodec.decode(request);
      const { driver, ref } = find(listers, instance, incarnation);
      const pieces = driver.logs(ref, { ...options, signal });
      for await (const piece of pieces) await stream.send(piece);
    },
    end,
  );
  store.serveVerb(
    "console",
    async (request, stream, signal) => {
      const { instance, incarnation } = hostConsoleRequestCodec.decode(request);
      const { driver, ref } = find(listers, instance, incarnation);
      await openConsole(driver, ref, stream, signal);
    },
    end,
  );
}

type Found = { readonly driver: Driver; readonly ref: InstanceRef };

/** @param incarnation 0 for the newest */
function find(
  listers: ReadonlyMap<TemplateKind, Lister>,
  name: InstanceName,
  incarnation: number,
): Found {
  const [newest] = [...listers.values()]
    .flatMap(({ driver, latest }) => latest.instances.map((ref) => ({ driver, ref })))
    .filter(({ ref }) => ref.name === name && [0, ref.incarnation].includes(incarnation))
    .sort((a, b) => b.ref.incarnation - a.ref.incarnation);
  if (newest !== undefined) return newest;
  const what = incarnation === 0 ? name : runtimeName(name, incarnation);
  throw new StoreError("notFound", `looking for ${what}: it is not on this host`);
}

async function openConsole(
  driver: Driver,
  ref: InstanceRef,
  stream: HostStream,
  signal: AbortSignal,
): Promise<void> {
  await using session = await driver.console(ref, signal);
  const typing = copy(stream.incoming, (data) => session.write(data));
  const showing = copy(session.output, (data) => stream.send(data));
  // Whichever side ends first ends both; how the other then ends follows from it. `typing` ends
  // with the stream, which is over as soon as this returns or throws.
  typing.catch(() => undefined);
  showing.catch(() => undefined);
  await Promise.race([typing, showing]);
}

async function copy(
  from: AsyncIterable<Uint8Array>,
  to: (data: Uint8Array) => Promise<void>,
): Promise<void> {
  for await (const data of from) await to(data);
}
