/** The labels that mark a container as EVM's (D3), and carry what `list` must tell of it (D1). */
import { isDigest, isFleetName, isInstanceName } from "@evm/fleet";
import type { DriverInstance, InstanceSpec } from "../driver.ts";

/** Which incarnation a container is, as its labels tell. */
export type ContainerIdentity = Pick<
  DriverInstance,
  "name" | "incarnation" | "fleet" | "index" | "templateDigest"
>;

type Labels = { readonly [name: string]: string | undefined };

/** Every container of EVM's bears this one: who made it, where several EVMs share a daemon. */
const OWNER_LABEL = "evm.owner";

/** What Docker is asked for: the containers of one owner. */
export const ownerFilter = (owner: string): string => `${OWNER_LABEL}=${owner}`;

export const labelsOf = (spec: InstanceSpec, owner: string): { [name: string]: string } => ({
  [OWNER_LABEL]: owner,
  "evm.instance": spec.name,
  "evm.incarnation": String(spec.incarnation),
  "evm.fleet": spec.fleet,
  "evm.index": String(spec.index),
  "evm.template": spec.templateDigest,
});

/** Undefined where the container is not the owner's: any label is missing or not of ours. */
export function identityOf(labels: Labels, owner: string): ContainerIdentity | undefined {
  const name = labels["evm.instance"] ?? "";
  const fleet = labels["evm.fleet"] ?? "";
  const templateDigest = labels["evm.template"] ?? "";
  const incarnation = numberOf(labels["evm.incarnation"]);
  const index = numberOf(labels["evm.index"]);
  if (!isInstanceName(name) || !isFleetName(fleet) || !isDigest(templateDigest)) return undefined;
  if (incarnation === undefined || index === undefined) return undefined;
  if (labels[OWNER_LABEL] !== owner) return undefined;
  return { name, incarnation, fleet, index, templateDigest };
}

/** Whose a container is that EVM made; undefined where it is not of EVM's making. */
export const ownerOf = (labels: Labels): string | undefined => labels[OWNER_LABEL];

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
