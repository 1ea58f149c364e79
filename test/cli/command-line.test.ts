/** What is wrong with a command line itself, before and beside any answer. */
import { expect, test } from "vitest";
import { evm } from "./evm.ts";

test("an address that cannot be one is refused with what was expected", async () => {
  for (const server of ["", "http://h:7070", "h:port", "h:65536", "::1"]) {
    const ran = await evm({ server }, "ps");
    expect([server, ran.code]).toEqual([server, 2]);
    expect(ran.err).toContain(
      "Expected HOST:PORT, as in 127.0.0.1:7070, or unix:PATH; several with",
    );
  }
});

test("where no coordinator answers the error says where, why and what to do", async () => {
  expect(await evm({ server: "127.0.0.1:1" }, "ps")).toEqual({
    code: 5,
    out: "",
    err:
      "error: no coordinator answers at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1\n" +
      "Start one with `evm dev`, or name another with --server or EVM_SERVER.\n",
  });
});

test("a wrong command line names the help of its command", async () => {
  const server = "127.0.0.1:1";
  const cases = [
    ["scale web many", "(evm scale --help shows how)"],
    ["images add x", "(evm images add --help shows how)"],
    ["aply x", "(evm --help shows how)"],
  ] as const;
  for (const [line, hint] of cases) {
    const ran = await evm({ server }, ...line.split(" "));
    expect([line, ran.code]).toEqual([line, 2]);
    expect(ran.err).toContain(`\n${hint}\n`);
  }
});
