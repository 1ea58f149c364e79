export type { EnsureOptions, ImageCache, OverlayRequest, Pool } from "./cache.ts";
export type { DownloadLimits } from "./download.ts";
export type { ImageCacheOptions } from "./image-cache.ts";
export { createImageCache } from "./image-cache.ts";
export type { ImageErrorCode } from "./image-error.ts";
export { ImageError } from "./image-error.ts";
export type { SeedFile, SeedRequest } from "./seed.ts";
export { seedFiles, writeSeed } from "./seed.ts";
export type { Fetch } from "./source.ts";
