import { templateKindEnum } from "@evm/codec";
import type { Instance } from "@evm/protocol";
import { age, orDash, phase } from "./output/format.ts";
import { table } from "./output/table.ts";
import type { Terminal } from "./output/terminal.ts";

/** Instances as `evm ps` shows them. */
export const instanceTable = (
  terminal: Terminal,
  instances: readonly Instance[],
  nowMs: number,
): string =>
  table(
    terminal,
    instances,
    [
      { title: "INSTANCE", value: (item) => item.name },
      { title: "KIND", value: (item) => templateKindEnum.fromWire(item.kind) ?? "?" },
      { title: "HOST", value: (item) => orDash(item.host) },
      { title: "PHASE", value: (item) => phase(terminal, item.phase) },
      { title: "SINCE", value: (item) => age(item.sinceMs, nowMs), align: "right" },
      { title: "INC", value: (item) => String(item.incarnation || "-"), align: "right" },
      { title: "RESTARTS", value: (item) => String(item.restarts), align: "right" },
      { title: "ADDRESS", value: (item) => orDash(item.address) },
      { title: "NOTE", value: (item) => item.reason },
    ],
    "No instances.",
  );
