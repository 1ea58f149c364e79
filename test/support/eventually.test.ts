import { expect, test } from "vitest";
import { eventually } from "./eventually.ts";

test("what does not come in time is told with what there is instead", async () => {
  const waiting = eventually("three hosts", () => undefined, {
    state: () => ({ hosts: 2n }),
    patienceMs: 0,
    intervalMs: 1,
  });
  await expect(waiting).rejects.toThrow(
    'waited 0 s in vain: three hosts; there is {\n  "hosts": "2"\n}',
  );
});
