import { RpcError } from "@evm/protocol";
import { expect, test } from "vitest";
import { pageOf } from "./paging.ts";

const keyOf = (item: string): string => item;
const page = (items: readonly string[], pageToken = "", pageSize = 2) =>
  pageOf(items, { pageSize, pageToken }, keyOf);

const code = (call: () => unknown): string | undefined => {
  try {
    call();
  } catch (error) {
    if (error instanceof RpcError) return `${error.code} ${error.violations[0]?.field}`;
    throw error;
  }
  return undefined;
};

test("pages follow one another to the last, which has no token", () => {
  const items = ["a", "b", "c", "d", "e"];
  const first = page(items);
  const second = page(items, first.nextPageToken);
  const third = page(items, second.nextPageToken);
  expect([first, second, third].map((one) => one.page)).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  expect(third.nextPageToken).toBe("");
  expect(page(["a", "b"]).nextPageToken).toBe("");
});

test("what comes and goes in between is neither repeated nor makes others be left out", () => {
  const first = page(["a", "c", "e", "g"]);
  expect(page(["b", "d", "e", "g"], first.nextPageToken).page).toEqual(["d", "e"]);
  expect(page(["a", "b"], first.nextPageToken)).toEqual({ page: [], nextPageToken: "" });
});

test("a size of 0 is the default, and too many or a foreign token are refused by field", () => {
  const many = Array.from({ length: 200 }, (_, index) => String(index).padStart(3, "0"));
  expect(page(many, "", 0).page.length).toBe(100);
  expect(code(() => page(many, "", 1_001))).toBe("invalidArgument page_size");
  expect(code(() => page(many, "not one of ours!"))).toBe("invalidArgument page_token");
});
