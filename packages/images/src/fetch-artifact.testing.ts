/** A program that caches one artifact and prints its progress, to be killed by a test. */
import type { Artifact } from "@evm/fleet";
import { createImageCache } from "./image-cache.ts";

const [, , path = "", artifact = ""] = process.argv;
const cache = createImageCache({ pools: [{ name: "main", path }], fetch, random: Math.random });
await cache.ensure(JSON.parse(artifact) as Artifact, {
  signal: new AbortController().signal,
  onProgress: ({ doneBytes }) => console.log(doneBytes),
});
