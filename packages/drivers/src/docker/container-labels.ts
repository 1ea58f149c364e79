/** The labels that mark a container as EVM's (D3), and carry what `list` must tell of it (D1). */
import { isDigest, isFleetName, isInstanceName } from "@evm/fleet";
import type { DriverInstance, InstanceSpec } from "../driver.ts";

/** Which incarnation a container is, as its labels tell. */
export type ContainerIdentity = Pick<
  DriverInstance,
  "name" | "incarnation" | "fleet" | "index" | "templateDigest"
>;

type Labels = { readonly [name: string]: string | undefined };

/** Every container of EVM's bears this one. */
export const INSTANCE_LABEL = "evm.instance";

export const labelsOf = (spec: InstanceSpec): { [name: string]: string } => ({
  [INSTANCE_LABEL]: spec.name,
  "evm.incarnation": String(spec.incarnation),
  "evm.fleet": spec.fleet,
  "evm.index": String(spec.index),
  "evm.template": spec.templateDigest,
});

/** Undefined where the container is not EVM's: any label is missing or not of ours. */
export function identityOf(labels: Labels): ContainerIdentity | undefined {
  const name = labels[INSTANCE_LABEL] ?? "";
  const fleet = labels["evm.fleet"] ?? "";
  const templateDigest = labels["evm.template"] ?? "";
  const incarnation = numberOf(labels["evm.incarnation"]);
  const index = numberOf(labels["evm.index"]);
  if (!isInstanceName(name) || !isFleetName(fleet) || !isDigest(templateDigest)) return undefined;
  if (incarnation === undefined || index === undefined) return undefined;
  return { name, incarnation, fleet, index, templateDigest };
}

const numberOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
