import {
  type Event,
  EventService,
  ListEventsResponseSchema,
  type RpcError,
  Severity,
  WatchEventsResponseSchema,
} from "@evm/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { type Context, callOptions } from "../context.ts";
import { messageJson, messageLine } from "../output/json.ts";
import { styled, type Terminal, widthOf } from "../output/terminal.ts";
import type { Run } from "../runner.ts";
import { reopened } from "../watch/reopened.ts";

type Options = {
  readonly watch?: boolean;
  readonly fleet?: string;
  readonly instance?: string;
  readonly host?: string;
  readonly number: number;
};

type Filter = { readonly fleet: string; readonly instance: string; readonly host: string };

const DEFAULT_COUNT = 50;
/** As many as the API gives at once. */
const MAX_PAGE_SIZE = 1_000;

export function addEvents(program: Command, run: Run): void {
  program
    .command("events")
    .summary("show what happened")
    .description("Shows the newest events, oldest of them first. They are kept for a limited time.")
    .option("-w, --watch", "then each new one, until Ctrl-C")
    .option("--fleet <fleet>", "only those about this fleet")
    .option("--instance <instance>", "only those about this instance")
    .option("--host <host>", "only those about this host")
    .option("-n, --number <count>", "how many of the newest", count, DEFAULT_COUNT)
    .addHelpText(
      "after",
      "\nExamples:\n  evm events --fleet school-linux -n 200\n  evm events -w --json",
    )
    .action(
      run(async (context, { watch, fleet = "", instance = "", host = "", number }: Options) => {
        const filter = { fleet, instance, host };
        const events = await newestEvents(context, filter, number);
        if (watch === true) return follow(context, filter, events);
        const { terminal, isJson } = context;
        if (isJson) terminal.out(messageJson(ListEventsResponseSchema, { events: [...events] }));
        else if (events.length === 0) terminal.out("No events.\n");
        else terminal.out(events.map(eventLines(terminal, events)).join(""));
      }),
    );
}

/** The newest `limit`, oldest of them first. */
async function newestEvents(
  context: Context,
  filter: Filter,
  limit: number,
): Promise<readonly Event[]> {
  const method = EventService.method.listEvents;
  let events: readonly Event[] = [];
  for (let pageToken = ""; events.length < limit; ) {
    const pageSize = Math.min(limit - events.length, MAX_PAGE_SIZE);
    const request = { filter, pageSize, pageToken };
    const page = await context.client.unary(method, request, callOptions(context));
    events = [...page.events, ...events];
    pageToken = page.nextPageToken;
    if (pageToken === "") break;
  }
  return events;
}

async function follow(
  { client, terminal, isJson, signal }: Context,
  filter: Filter,
  before: readonly Event[],
): Promise<void> {
  const line = eventLines(terminal, before);
  const show = (event: Event): void => {
    terminal.out(isJson ? messageLine(WatchEventsResponseSchema, { event }) : line(event));
  };
  for (const event of before) show(event);
  let afterSequence = before.at(-1)?.sequence ?? 0n;
  const method = EventService.method.watchEvents;
  const open = () => client.serverStream(method, { filter, afterSequence }, { signal });
  const onBreak = ({ message }: RpcError) => terminal.err(`${message}; trying again\n`);
  for await (const { event } of reopened({ open, onBreak, signal })) {
    if (event === undefined) continue;
    show(event);
    afterSequence = event.sequence;
  }
}

/** So wide at least, and wider from the first text on that needs it. */
const MIN_WIDTHS = [20, 7, 18, 20] as const;

/** Events as lines in columns that stay where they are while events come one by one. */
function eventLines(terminal: Terminal, known: readonly Event[]): (event: Event) => string {
  const cellsOf = ({ atMs, severity, reason, fleet, instance, host }: Event): readonly string[] => [
    `${new Date(Number(atMs)).toISOString().slice(0, 19)}Z`,
    severityText(terminal, severity),
    reason,
    instance || fleet || host || "-",
  ];
  const widths: number[] = [...MIN_WIDTHS];
  const widen = (cells: readonly string[]): void => {
    for (const [at, cell] of cells.entries()) {
      widths[at] = Math.max(widths[at] ?? 0, widthOf(cell));
    }
  };
  for (const event of known) widen(cellsOf(event));
  return (event) => {
    const cells = cellsOf(event);
    widen(cells);
    const padded = cells.map((cell, at) => cell + " ".repeat((widths[at] ?? 0) - widthOf(cell)));
    return `${[...padded, event.text].join("  ")}\n`;
  };
}

function severityText(terminal: Terminal, severity: Severity): string {
  switch (severity) {
    case Severity.INFO:
      return "info";
    case Severity.WARNING:
      return styled(terminal, "yellow", "warning");
    case Severity.ERROR:
      return styled(terminal, "red", "error");
    default:
      return "?";
  }
}

function count(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number of at least 1.");
}
