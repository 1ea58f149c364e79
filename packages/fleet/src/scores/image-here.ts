import type { HostLoad } from "../host-load.ts";
import type { PlaceRequest } from "../rule.ts";

/** An image that is there already outweighs a tenth of a host's load: fetching takes minutes. */
export const IMAGE_HERE_BONUS = 0.1;

/** What a host gains by having the VM image already. */
export const imageHere = (host: HostLoad, { image }: PlaceRequest): number =>
  image !== undefined && host.artifacts.has(image.disk.digest) ? IMAGE_HERE_BONUS : 0;
