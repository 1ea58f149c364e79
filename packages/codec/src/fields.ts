/**
 * The smallest schemas: what one field may hold. Shared by the fleet file, by API requests and by
 * everything read from the store. Every message is a noun phrase that says what was expected.
 */
import {
  type AgentId,
  type Digest,
  type FleetName,
  type HostName,
  type ImageName,
  type InstanceName,
  isAgentId,
  isDigest,
  isFleetName,
  isHostName,
  isImageName,
  isInstanceName,
  MAX_FLEET_NAME_LENGTH,
} from "@evm/fleet";
import { z } from "zod";

/** As in protobuf. */
export const MAX_UINT32 = 2 ** 32 - 1;
/** Longer waits than this are never meant. */
export const MAX_DURATION_MS = 30 * 24 * 3_600_000;
/** More instances than this in one fleet would not fit the orders of any number of hosts. */
export const MAX_REPLICAS = 100_000;
/** Every orders document that names the template carries it. */
const MAX_TEXT_LENGTH = 64 * 1024;
/** Free-form entries are for filters and small settings; orders carry them too. */
const MAX_ENTRIES = 256;

/** A whole number; the message names both bounds, whichever of them is missed. */
export function whole(minimum: number, maximum = Number.MAX_SAFE_INTEGER): z.ZodType<number> {
  const error =
    maximum === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${minimum}`
      : `a whole number from ${minimum} to ${maximum}`;
  return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

export const uint32 = whole(0, MAX_UINT32);
/** Revisions, bytes and instants; exact up to 2^53. */
export const uint64 = whole(0);
export const durationMs = whole(0, MAX_DURATION_MS);
export const replicas = whole(0, MAX_REPLICAS);
export const port = whole(1, 65_535);
export const boolean = z.boolean({ error: "true or false" });

export const text = z
  .string({ error: "a text" })
  .max(MAX_TEXT_LENGTH, { error: `a text of at most ${MAX_TEXT_LENGTH} characters` });
export const filledText = text.min(1, { error: "a text that is not empty" });

/** One of a closed set of words. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words, { error: `one of ${words.join(", ")}` });
}

export function listOf<T extends z.ZodType>(item: T) {
  const error = `a list of at most ${MAX_ENTRIES} entries`;
  return z.array(item, { error: "a list" }).max(MAX_ENTRIES, { error });
}

/** A list that the system itself writes, and bounds by the size of the document. */
export const everyOf = <T extends z.ZodType>(item: T) => z.array(item, { error: "a list" });

/** Absent becomes undefined, and the key is there all the same. */
export const optional = <T extends z.ZodType>(schema: T) =>
  z.optional(schema).transform((value) => value);

function named<T extends string>(accepts: (text: string) => text is T, expected: string) {
  return z.string({ error: expected }).transform((name, context): T => {
    if (accepts(name)) return name;
    context.issues.push({ code: "custom", message: expected, input: name });
    return z.NEVER;
  });
}

const LABEL = "of a-z 0-9 -, not starting or ending in -";
export const fleetName = named<FleetName>(
  isFleetName,
  `1 to ${MAX_FLEET_NAME_LENGTH} characters ${LABEL}`,
);
export const agentId = named<AgentId>(isAgentId, `1 to 63 characters ${LABEL}`);
export const hostName = named<HostName>(isHostName, `1 to 63 characters ${LABEL}`);
export const imageName = named<ImageName>(
  isImageName,
  "1 to 63 characters of a-z 0-9 . -, starting and ending in a letter or digit",
);
export const instanceName = named<InstanceName>(
  isInstanceName,
  "the name of an instance: <fleet>-<index of at least 4 digits>",
);
export const digest = named<Digest>(isDigest, "sha256: and 64 lower-case hex digits");

/** YAML reads an unquoted 8080 as a number: the most common slip. */
const ENTRY_TEXT = 'a text; numbers and true or false need quotes: "8080"';
/** A word of a command, a value of a label. */
export const word = z.string({ error: ENTRY_TEXT });

const entries = (key: z.ZodString, what: string) =>
  z
    .record(key, word.max(MAX_TEXT_LENGTH, { error: ENTRY_TEXT }), {
      error: `${what}, each a name and a text`,
    })
    .refine((record) => Object.keys(record).length <= MAX_ENTRIES, {
      error: `at most ${MAX_ENTRIES} entries`,
    });

/** A label's name: kept to what every filter language can spell. */
export const labelName = z
  .string({ error: "the name of a label" })
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$/, {
    error:
      "a label name: 1 to 63 characters of A-Z a-z 0-9 . _ / -, starting with a letter or digit",
  });
export const labels = entries(labelName, "labels");

export const environment = entries(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, {
    error: "the name of a variable: A-Z a-z 0-9 _, not starting with a digit",
  }),
  "environment variables",
);
