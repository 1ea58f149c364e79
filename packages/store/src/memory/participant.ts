import type { HostName } from "@evm/fleet";

/** Who takes part, as events name their source too. */
export type Participant = `coordinator/${string}` | `host/${string}`;

export const coordinatorKey = (id: string): Participant => `coordinator/${id}`;
export const hostKey = (host: HostName): Participant => `host/${host}`;
