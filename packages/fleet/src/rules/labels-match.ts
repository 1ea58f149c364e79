import { nameSome, type Rule } from "../rule.ts";
import type { Constraint, Labels } from "../spec.ts";

/** The host's labels meet every constraint of the placement. */
export const labelsMatch: Rule = {
  name: "labels",
  admits: (host, { placement }) =>
    placement.constraints.every((constraint) => meets(host.labels, constraint)),
  explain: (refused, { placement }) => {
    const unmet = placement.constraints.filter((constraint) =>
      refused.some((host) => !meets(host.labels, constraint)),
    );
    const wanted = unmet.map((constraint) => describe(constraint)).join(" and ");
    return `needs a host with ${wanted}; not so are ${nameSome(refused.map((host) => host.name))}`;
  },
};

function meets(labels: Labels, { label, operator, values }: Constraint): boolean {
  const value = Object.hasOwn(labels, label) ? labels[label] : undefined;
  switch (operator) {
    case "in":
      return value !== undefined && values.includes(value);
    case "notIn":
      return value === undefined || !values.includes(value);
    case "exists":
      return value !== undefined;
    case "notExists":
      return value === undefined;
  }
}

function describe({ label, operator, values }: Constraint): string {
  switch (operator) {
    case "in":
      return `label ${label} in (${values.join(", ")})`;
    case "notIn":
      return `label ${label} not in (${values.join(", ")})`;
    case "exists":
      return `a label ${label}`;
    case "notExists":
      return `no label ${label}`;
  }
}
