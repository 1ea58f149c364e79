import { expect, test } from "vitest";
import { hasVirtualization } from "./host-facts.ts";

test("the CPU's flags decide on KVM", () => {
  expect(hasVirtualization("flags\t\t: fpu vme vmx ssse3\n")).toBe(true);
  expect(hasVirtualization("flags\t\t: fpu svm\n")).toBe(true);
  expect(hasVirtualization("flags\t\t: fpu svm_lock vmxnet\n")).toBe(false);
  expect(hasVirtualization("vmx flags\t: vnmi\nflags\t: fpu\n")).toBe(false);
});
