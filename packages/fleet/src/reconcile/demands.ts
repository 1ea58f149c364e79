import { type Claim, hostPortsOf } from "../host-load.ts";
import type { Digest, FleetName } from "../ids.ts";
import type { PlaceRequest } from "../rule.ts";
import type { FleetRecord } from "../snapshot.ts";
import type { Entry, Work } from "./work.ts";

const NO_FLEETS: ReadonlySet<FleetName> = new Set();

/** What instances take and ask for, worked out once per fleet and template. */
export class Demands {
  readonly #apart: ReadonlyMap<FleetName, ReadonlySet<FleetName>>;
  readonly #claims = new Map<FleetName, Map<Digest, Claim>>();
  readonly #placing = new Map<FleetName, PlaceRequest>();
  readonly #resuming = new Map<FleetName, PlaceRequest>();

  constructor(work: Work) {
    this.#apart = apartFrom(work.snapshot.fleets);
  }

  /** What an entry takes of its host; absent where its template is not known. */
  claimOf({ host, member, ordered }: Entry): Claim | undefined {
    const { name, record } = member.fleet;
    let claims = this.#claims.get(name);
    if (claims === undefined) {
      claims = new Map();
      this.#claims.set(name, claims);
    }
    const known = claims.get(ordered.template);
    if (known !== undefined) return known;
    const template =
      host.templates.get(ordered.template)?.template ??
      (record?.template === ordered.template ? record.spec.template : undefined);
    if (template === undefined) return undefined;
    const { resources } = template;
    const claim = { fleet: name, resources, hostPorts: hostPortsOf(template) };
    claims.set(ordered.template, claim);
    return claim;
  }

  /** What a new incarnation of the fleet asks for. */
  toPlace(fleet: FleetRecord): PlaceRequest {
    const { name, template, placement } = fleet.spec;
    const known = this.#placing.get(name);
    if (known !== undefined) return known;
    const request: PlaceRequest = {
      fleet: name,
      kind: template.kind,
      image: fleet.image,
      resources: template.resources,
      hostPorts: hostPortsOf(template),
      placement,
      apartFrom: this.#apart.get(name) ?? NO_FLEETS,
      entries: 1,
      isResumed: false,
    };
    this.#placing.set(name, request);
    return request;
  }

  /** What a stopped incarnation asks of the host where it is: its disk is there already. */
  toResume(fleet: FleetRecord): PlaceRequest {
    const known = this.#resuming.get(fleet.spec.name);
    if (known !== undefined) return known;
    const request = this.toPlace(fleet);
    const resources = { ...request.resources, diskMib: 0 };
    const resume: PlaceRequest = {
      ...request,
      resources,
      image: undefined,
      entries: 0,
      isResumed: true,
    };
    this.#resuming.set(fleet.spec.name, resume);
    return resume;
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
