import type { HostLoad } from "../host-load.ts";
import { type Artifact, artifactsOf, type Image } from "../image.ts";
import { greatest, nameSome, type Rule } from "../rule.ts";

const MIB = 1024 * 1024;
const FETCHABLE = ["file:", "http:", "https:"];

/** Every file of the VM image is cached on the host, or can be fetched into one of its pools. */
export const imageAvailable: Rule = {
  name: "image",
  admits: (host, { image }) => image === undefined || isAvailable(host, image),
  explain: (refused, { image }) => {
    if (image === undefined) return "needs no image";
    const odd = artifactsOf(image).find((artifact) => !isFetchable(artifact));
    if (odd !== undefined) {
      const hosts = nameSome(refused.map((host) => host.name));
      return `needs image ${image.name}, not there on ${hosts} and not fetchable from ${odd.url}`;
    }
    const largest = greatest(artifactsOf(image), (artifact) => artifact.sizeBytes);
    const best = greatest(refused, (host) => host.freeBytes);
    const most =
      best === undefined ? "0" : `${Math.floor(best.freeBytes / MIB)} MiB on ${best.name}`;
    const wanted = Math.ceil((largest?.sizeBytes ?? 0) / MIB);
    const room = `${wanted} MiB in a pool for image ${image.name}`;
    return `needs ${room}; the most that is free is ${most}`;
  },
};

const isAvailable = (host: HostLoad, image: Image): boolean =>
  artifactsOf(image).every(
    (artifact) =>
      host.artifacts.has(artifact.digest) ||
      (isFetchable(artifact) && artifact.sizeBytes <= host.freeBytes),
  );

const isFetchable = ({ url }: Artifact): boolean =>
  FETCHABLE.some((scheme) => url.startsWith(scheme));
