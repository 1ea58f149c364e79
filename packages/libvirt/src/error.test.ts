import { expect, test } from "vitest";
import { readError } from "./calls.ts";
import { hasCode, isNoDomain, LibvirtError } from "./error.ts";
import { XdrReader } from "./xdr-reader.ts";

// What libvirtd 9.0 sends when a domain is looked up that does not exist.
const DOMAIN_NOT_FOUND =
  "0000002a0000000c0000000100000010446f6d61696e206e6f7420666f756e640000000200000000" +
  "0000000100000010446f6d61696e206e6f7420666f756e640000000000000000ffffffffffffffff00000000";

const notFound = (): LibvirtError =>
  readError("DOMAIN_LOOKUP_BY_NAME", new XdrReader(Buffer.from(DOMAIN_NOT_FOUND, "hex")));

test("a daemon's error carries names, numbers, level and what was being done", () => {
  expect(notFound()).toMatchObject({
    name: "LibvirtError",
    code: "NO_DOMAIN",
    level: "error",
    origin: { codeNumber: 42, domain: "TEST", domainNumber: 12 },
    message: "DOMAIN_LOOKUP_BY_NAME: Domain not found",
    isTransient: false,
  });
});

test("predicates tell errors apart by code, and never take a foreign error for libvirt's", () => {
  expect(isNoDomain(notFound())).toBe(true);
  expect(hasCode(notFound(), "NO_NETWORK", "NO_STORAGE_POOL")).toBe(false);
  expect(isNoDomain(new Error("Domain not found"))).toBe(false);
});

test("a number from a newer daemon is unknown, and its number is kept", () => {
  const error = LibvirtError.fromDaemon("X", { code: 4711, domain: 999, level: 1, message: "m" });
  expect(error).toMatchObject({
    code: "unknown",
    level: "warning",
    origin: { codeNumber: 4711, domain: "unknown", domainNumber: 999 },
  });
});

test("what may work later is transient, what was refused is not", () => {
  const isTransient = (code: LibvirtError["code"]) => new LibvirtError(code, "").isTransient;
  expect(isTransient("connection-lost")).toBe(true);
  expect(isTransient("OPERATION_TIMEOUT")).toBe(true);
  expect(isTransient("aborted")).toBe(false);
  expect(isTransient("XML_ERROR")).toBe(false);
});
