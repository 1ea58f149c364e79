/**
 * The daemon's images: pulled or built where they are missing, once however many callers wait. The
 * tag of a built image tells what it was built from, so the daemon's own list is the build cache.
 * A built image goes with the last container made from it, or with the only one that was to be made
 * and is not; nothing removes what was pulled, which may be others': `docker image prune --all`
 * does.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ContainerSource, Digest } from "@evm/fleet";
import { SingleFlight } from "@evm/images";
import { DriverError, type PrepareOptions } from "../driver.ts";
import type { DockerEngine } from "./docker-engine.ts";
import { alreadySo, codeOfText } from "./docker-error.ts";
import { type ProgressMessage, progressMessages } from "./progress-messages.ts";
import { PullProgress } from "./pull-progress.ts";

/** The packed build context with this digest; undefined where there is none. */
export type GetContext = (
  digest: Digest,
  signal: AbortSignal,
) => Promise<AsyncIterable<Uint8Array> | undefined>;

type BuildSource = Extract<ContainerSource, { kind: "build" }>;

/** A large image over a slow line, or a build that compiles; beyond it something hangs. */
const MAKE_DEADLINE_MS = 30 * 60_000;
/** The name of every image that is built here. */
const BUILT = "evm-build:";
/** Of a build's output, for the message when it fails. */
const KEPT_LINES = 20;
/** Only what can be part of a reference goes into the daemon's URLs; the daemon checks the rest. */
const REFERENCE = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/:@-]{0,511}$/;

export class DockerImages {
  readonly #engine: DockerEngine;
  readonly #getContext: GetContext;
  readonly #flights = new SingleFlight<void, string>();

  constructor(engine: DockerEngine, getContext: GetContext) {
    this.#engine = engine;
    this.#getContext = getContext;
  }

  /** Makes the daemon have the image, and returns the reference to it. */
  async ensure(source: ContainerSource, options: PrepareOptions): Promise<string> {
    const reference = referenceOf(source);
    const { onProgress } = options;
    const make = async (_docker: unknown, signal: AbortSignal) =>
      this.#flights.join(reference, { signal, onProgress }, (shared) =>
        this.#make(source, reference, shared),
      );
    await this.#engine.call(`getting image ${reference}`, options.signal, make, MAKE_DEADLINE_MS);
    return reference;
  }

  /** Removes an image that was built here, unless a container still needs it. */
  async release(reference: string, doing: string, signal: AbortSignal): Promise<void> {
    if (!reference.startsWith(BUILT)) return;
    await this.#engine.call(doing, signal, (docker, abortSignal) =>
      // 404: somebody else was first. 409: a container is made from it.
      docker.getImage(reference).remove({ abortSignal }).catch(alreadySo(404, 409)),
    );
  }

  async #make(source: ContainerSource, reference: string, options: PrepareOptions): Promise<void> {
    const doing = `looking for image ${reference}`;
    const present = await this.#engine.call(doing, options.signal, (docker) =>
      docker.getImage(reference).inspect().catch(alreadySo(404)),
    );
    if (present !== undefined) return;
    if (source.kind === "image") await this.#pull(reference, options);
    else await this.#build(source, reference, options);
  }

  async #pull(reference: string, { signal, onProgress }: PrepareOptions): Promise<void> {
    const doing = `pulling image ${reference}`;
    onProgress(doing);
    const progress = new PullProgress(doing, onProgress);
    const pieces = this.#engine.stream(
      doing,
      signal,
      (docker, abortSignal) => docker.pull(reference, { abortSignal }),
      MAKE_DEADLINE_MS,
    );
    try {
      for await (const message of progressMessages(pieces)) {
        if (message.error !== undefined) {
          throw new DriverError(
            codeOfText(message.error) ?? "failed",
            `${doing}: ${message.error}`,
          );
        }
        progress.tell(message);
      }
    } catch (error) {
      throw withoutNotFound(error);
    }
  }

  async #build(source: BuildSource, tag: string, options: PrepareOptions): Promise<void> {
    const { signal, onProgress } = options;
    const doing = `building ${source.dockerfile} of ${source.context}`;
    const context = await this.#getContext(source.context, signal);
    if (context === undefined) {
      throw new DriverError("invalid", `${doing}: its build context is not in the store`);
    }
    const body = Readable.from(context);
    const pieces = this.#engine.stream(
      doing,
      signal,
      (docker, abortSignal) =>
        docker.buildImage(body, { t: tag, dockerfile: source.dockerfile, abortSignal }),
      MAKE_DEADLINE_MS,
    );
    const output: string[] = [];
    try {
      for await (const message of progressMessages(pieces)) {
        if (message.error !== undefined) throw buildError(doing, message.error, output);
        const lines = linesOf(message);
        output.push(...lines);
        output.splice(0, output.length - KEPT_LINES);
        for (const line of lines) onProgress(`${doing}: ${line}`);
      }
    } finally {
      // A build that ends early leaves the rest of its context unread.
      body.destroy();
    }
  }
}

/** @throws DriverError "invalid" where what is declared is no reference */
export function referenceOf(source: ContainerSource): string {
  if (source.kind === "build") return tagOf(source);
  if (REFERENCE.test(source.reference)) return source.reference;
  const expected = 'expected one like "registry.example.org/team/app:1.2"';
  const text = `reading image reference "${source.reference}": not a reference; ${expected}`;
  throw new DriverError("invalid", text);
}

/** The same context and Dockerfile always bear the same tag. */
function tagOf({ context, dockerfile }: BuildSource): string {
  const key = createHash("sha256").update(`${context}\0${dockerfile}`).digest("hex");
  return `${BUILT}${key}`;
}

/** "Not found" is what an instance can be; an image that nobody has is a wrong order. */
function withoutNotFound(error: unknown): unknown {
  if (!(error instanceof DriverError) || error.code !== "notFound") return error;
  return new DriverError("invalid", error.message, { cause: error });
}

const linesOf = ({ output = "" }: ProgressMessage): readonly string[] =>
  output.split("\n").filter((line) => line.trim() !== "");

function buildError(doing: string, error: string, output: readonly string[]): DriverError {
  const code = codeOfText(error) ?? "invalid";
  return new DriverError(code, [`${doing}: ${error}`, ...output].join("\n"));
}
