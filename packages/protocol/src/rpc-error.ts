/** What goes wrong in a call, the same on both of its sides. */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { BadRequestSchema, ErrorInfoSchema } from "./gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "./gen/google/rpc/status_pb.ts";

/** gRPC's codes. Transient: the same call may succeed later without anyone changing anything. */
const CODES = {
  cancelled: { status: status.CANCELLED, isTransient: false },
  unknown: { status: status.UNKNOWN, isTransient: false },
  invalidArgument: { status: status.INVALID_ARGUMENT, isTransient: false },
  deadlineExceeded: { status: status.DEADLINE_EXCEEDED, isTransient: true },
  notFound: { status: status.NOT_FOUND, isTransient: false },
  alreadyExists: { status: status.ALREADY_EXISTS, isTransient: false },
  permissionDenied: { status: status.PERMISSION_DENIED, isTransient: false },
  resourceExhausted: { status: status.RESOURCE_EXHAUSTED, isTransient: false },
  failedPrecondition: { status: status.FAILED_PRECONDITION, isTransient: false },
  aborted: { status: status.ABORTED, isTransient: true },
  outOfRange: { status: status.OUT_OF_RANGE, isTransient: false },
  unimplemented: { status: status.UNIMPLEMENTED, isTransient: false },
  internal: { status: status.INTERNAL, isTransient: false },
  unavailable: { status: status.UNAVAILABLE, isTransient: true },
  dataLoss: { status: status.DATA_LOSS, isTransient: false },
  unauthenticated: { status: status.UNAUTHENTICATED, isTransient: false },
} as const;

export type RpcCode = keyof typeof CODES;

/** One field of a request that cannot be accepted. */
export type FieldViolation = {
  /** Path of the field: `fleets[0].restart.backoffMs`. */
  readonly field: string;
  readonly description: string;
};

/** Why a call was refused, for programs; a google.rpc.ErrorInfo on the wire. */
export type ErrorInfo = {
  /** In capitals, as in CONFIRMATION_NEEDED. */
  readonly reason: string;
  readonly metadata: { readonly [name: string]: string };
};

const INFO_DOMAIN = "evm";

/** The trailer in which gRPC carries a google.rpc.Status. */
const DETAILS_KEY = "grpc-status-details-bin";

/** A failed call: thrown by clients, and by handlers to choose what the client gets. */
export class RpcError extends Error {
  readonly code: RpcCode;
  readonly violations: readonly FieldViolation[];
  readonly info: ErrorInfo | undefined;
  /** Whether the server answered so; false for what was made up on this side. */
  readonly isAnswer: boolean;

  /** @param message "what I was doing: what went wrong" */
  constructor(
    code: RpcCode,
    message: string,
    options: {
      cause?: unknown;
      violations?: readonly FieldViolation[];
      info?: ErrorInfo | undefined;
      isAnswer?: boolean;
    } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : {});
    this.name = "RpcError";
    this.code = code;
    this.violations = options.violations ?? [];
    this.info = options.info;
    this.isAnswer = options.isAnswer ?? false;
  }

  get isTransient(): boolean {
    return CODES[this.code].isTransient;
  }
}

/** What grpc-js gives to a client, as our error. */
export function fromServiceError(error: ServiceError): RpcError {
  // Every answer carries a content type, by gRPC's protocol; an error of grpc-js's own does not.
  const isAnswer = error.metadata.get("content-type").length > 0;
  const details = detailsOf(error.metadata);
  return new RpcError(codeOf(error.code), isAnswer ? error.details : localText(error.details), {
    cause: error,
    violations: details.flatMap(violationsIn),
    info: details.map(infoIn).find((info) => info !== undefined),
    isAnswer,
  });
}

/** What grpc-js says of its own failures, without how far its machinery had got. */
function localText(details: string): string {
  const [, connecting] =
    /^No connection established\. Last error: (?:\w*Error: )?(.*?) Resolution note:/s.exec(
      details,
    ) ?? [];
  const [deadline] = /^Deadline exceeded after [\d.]+s/.exec(details) ?? [];
  return connecting?.replace(/\.$/, "") ?? deadline ?? details;
}

/** Our error as grpc-js's servers want it, violations and info in google.rpc's own messages. */
export function toStatus(error: RpcError): {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
} {
  const code = CODES[error.code].status;
  const metadata = new Metadata();
  const details: Any[] = [];
  if (error.violations.length > 0) {
    const badRequest = create(BadRequestSchema, { fieldViolations: [...error.violations] });
    details.push(anyPack(BadRequestSchema, badRequest));
  }
  if (error.info !== undefined) {
    const { reason, metadata: about } = error.info;
    const info = create(ErrorInfoSchema, { reason, domain: INFO_DOMAIN, metadata: { ...about } });
    details.push(anyPack(ErrorInfoSchema, info));
  }
  if (details.length > 0) {
    const message = create(StatusSchema, { code, message: error.message, details });
    metadata.set(DETAILS_KEY, Buffer.from(toBinary(StatusSchema, message)));
  }
  return { code, details: error.message, metadata };
}

function codeOf(number: status): RpcCode {
  for (const [code, { status }] of Object.entries(CODES)) {
    if (status === number && isRpcCode(code)) return code;
  }
  return "unknown";
}

const isRpcCode = (text: string): text is RpcCode => Object.hasOwn(CODES, text);

function detailsOf(metadata: Metadata): readonly Any[] {
  const [bytes] = metadata.get(DETAILS_KEY);
  if (!(bytes instanceof Buffer)) return [];
  try {
    return fromBinary(StatusSchema, bytes).details;
  } catch {
    // Something between us and the server wrote its own details there; the code still stands.
    return [];
  }
}

function violationsIn(detail: Any): readonly FieldViolation[] {
  const violations = anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? [];
  return violations.map(({ field, description }) => ({ field, description }));
}

function infoIn(detail: Any): ErrorInfo | undefined {
  const info = anyUnpack(detail, ErrorInfoSchema);
  return info && { reason: info.reason, metadata: info.metadata };
}
