import { type Claim, hostPortsOf } from "../host-load.ts";
import type { Digest, FleetName } from "../ids.ts";
import type { OrderedTemplate } from "../orders.ts";
import type { PlaceRequest } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import { type Entry, templateOf, type Work } from "./work.ts";

const NO_FLEETS: ReadonlySet<FleetName> = new Set();

/** What instances take and ask for, worked out once per fleet and template. */
export class Demands {
  readonly #apart: ReadonlyMap<FleetName, ReadonlySet<FleetName>>;
  readonly #claims = new Map<FleetName, Map<Digest, Claim>>();

  constructor(work: Work) {
    this.#apart = apartFrom(work.snapshot.fleets);
  }

  /** What an entry takes of its host; absent where its template is not known. */
  claimOf(entry: Entry): Claim | undefined {
    const { name } = entry.member.fleet;
    let claims = this.#claims.get(name);
    if (claims === undefined) {
      claims = new Map();
      this.#claims.set(name, claims);
    }
    const known = claims.get(entry.ordered.template);
    if (known !== undefined) return known;
    const template = templateOf(entry)?.template;
    if (template === undefined) return undefined;
    const { resources } = template;
    const claim = { fleet: name, resources, hostPorts: hostPortsOf(template) };
    claims.set(entry.ordered.template, claim);
    return claim;
  }

  /** What a new incarnation of the fleet asks for. */
  toPlace({ spec }: FleetRecord, { template, image }: OrderedTemplate): PlaceRequest {
    return {
      fleet: spec.name,
      kind: template.kind,
      image,
      resources: template.resources,
      hostPorts: hostPortsOf(template),
      placement: spec.placement,
      apartFrom: this.#apart.get(spec.name) ?? NO_FLEETS,
      entries: 1,
      isResumed: false,
    };
  }

  /** What a stopped incarnation asks of the host where it is: its disk is there already. */
  toResume(fleet: FleetRecord, template: OrderedTemplate): PlaceRequest {
    const request = this.toPlace(fleet, template);
    const resources = { ...request.resources, diskMib: 0 };
    return { ...request, resources, image: undefined, entries: 0, isResumed: true };
  }
}

/** Which fleets are to be kept apart, in both directions. */
function apartFrom(fleets: readonly FleetRecord[]): ReadonlyMap<FleetName, ReadonlySet<FleetName>> {
  const apart = new Map<FleetName, Set<FleetName>>();
  const add = (one: FleetName, other: FleetName): void => {
    const known = apart.get(one);
    if (known === undefined) apart.set(one, new Set([other]));
    else known.add(other);
  };
  for (const { spec } of fleets) {
    for (const other of spec.placement.apartFrom) {
      add(spec.name, other);
      add(other, spec.name);
    }
  }
  return apart;
}
