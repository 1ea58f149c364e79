/** Names and digests as branded strings: parsed once at the edge, trusted inside. */

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** What an operator calls a fleet: 1 to 40 of `a-z 0-9 -`, not starting or ending in `-`. */
export type FleetName = Branded<"FleetName">;
/** `<fleet>-<index, at least four digits>`, for example `school-linux-0042`. */
export type InstanceName = Branded<"InstanceName">;
/** One label of a host name: 1 to 63 of `a-z 0-9 -`. Also a token of a NATS subject: no dots. */
export type HostName = Branded<"HostName">;
/**
 * Made by an agent at its first start, by chance, as a label of a host name: tells apart machines
 * that bear one host name.
 */
export type AgentId = Branded<"AgentId">;
/** What an operator calls a VM image: 1 to 63 of `a-z 0-9 . -`, a letter or digit at both ends. */
export type ImageName = Branded<"ImageName">;
/** `sha256:` and 64 lower-case hex digits. */
export type Digest = Branded<"Digest">;

/** The longest name of a fleet: leaves room for the index within a 63-byte host name label. */
export const MAX_FLEET_NAME_LENGTH = 40;

const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const DOTTED = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_LABEL_LENGTH = 63;

export const isFleetName = (text: string): text is FleetName =>
  text.length <= MAX_FLEET_NAME_LENGTH && LABEL.test(text);

export const isHostName = (text: string): text is HostName =>
  text.length <= MAX_LABEL_LENGTH && LABEL.test(text);

export const isAgentId = (text: string): text is AgentId =>
  text.length <= MAX_LABEL_LENGTH && LABEL.test(text);

export const isImageName = (text: string): text is ImageName =>
  text.length <= MAX_LABEL_LENGTH && DOTTED.test(text);

export const isInstanceName = (text: string): text is InstanceName =>
  text.length <= MAX_LABEL_LENGTH && LABEL.test(text) && /-\d{4,}$/.test(text);

export const isDigest = (text: string): text is Digest => DIGEST.test(text);

/** The name of the instance of `fleet` with this index (counted from 0). */
export function instanceName(fleet: FleetName, index: number): InstanceName {
  const name = `${fleet}-${String(index).padStart(4, "0")}`;
  if (!isNameAt(name, index)) throw new RangeError(`instance name of ${fleet}: bad index ${index}`);
  return name;
}

/** Of a fleet's name and this index, so that no more is to be looked at: it is asked very often. */
const isNameAt = (name: string, index: number): name is InstanceName =>
  Number.isSafeInteger(index) && index >= 0 && name.length <= MAX_LABEL_LENGTH;

/**
 * What an incarnation of an instance is called in libvirt and Docker: `school-linux-0042.3`. The
 * incarnation is part of it, so that an old one can rest in quarantine beside its successor.
 */
export const runtimeName = (name: InstanceName, incarnation: number): string =>
  `${name}.${incarnation}`;
