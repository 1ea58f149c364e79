import { expect, test } from "vitest";
import { checkServerVersion } from "./streams.ts";

test("a server without atomic batches is refused, naming its version and what to install", () => {
  for (const version of ["2.9.10", "2.11.99", "1.13.0", undefined, "dev"]) {
    expect(() => checkServerVersion(version)).toThrow(
      new RegExp(`version ${version ?? "unknown"},.*install nats-server 2.12 or newer`),
    );
  }
});

test("a server from the oldest suitable version on is taken", () => {
  for (const version of ["2.12.0", "2.12.0-RC.1", "2.15.1", "3.0.0"]) checkServerVersion(version);
});
