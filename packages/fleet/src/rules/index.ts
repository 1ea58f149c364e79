import type { Rule } from "../rule.ts";
import { apartFrom } from "./apart-from.ts";
import { diskFits } from "./disk-fits.ts";
import { driverUsable } from "./driver-usable.ts";
import { hostOpen } from "./host-open.ts";
import { hostPortFree } from "./host-port-free.ts";
import { imageAvailable } from "./image-available.ts";
import { labelsMatch } from "./labels-match.ts";
import { memoryFits } from "./memory-fits.ts";
import { ordersLimit } from "./orders-limit.ts";
import { vcpuFits } from "./vcpu-fits.ts";

/** Every rule, in the order in which they are asked: a host counts for the first that refuses. */
export const RULES: readonly Rule[] = [
  hostOpen,
  driverUsable,
  labelsMatch,
  vcpuFits,
  memoryFits,
  diskFits,
  apartFrom,
  hostPortFree,
  imageAvailable,
  ordersLimit,
];

/**
 * The same rules for a yes or no, to which the order makes no difference: those first that cost
 * least and refuse most.
 */
export const RULES_BY_COST: readonly Rule[] = [
  memoryFits,
  vcpuFits,
  diskFits,
  hostOpen,
  ordersLimit,
  hostPortFree,
  apartFrom,
  driverUsable,
  labelsMatch,
  imageAvailable,
];
