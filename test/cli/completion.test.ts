import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { startCluster, startHost } from "../../packages/coordinator/test/cluster.ts";
import { evm } from "./evm.ts";

const NOWHERE = { server: "127.0.0.1:1" };

/** What bash offers at the end of each line, the coordinator's names made up. */
async function offeredByBash(...lines: readonly string[]): Promise<readonly string[]> {
  const { out: script } = await evm(NOWHERE, "completion", "bash");
  const ask = `
evm() { [[ $1 == __complete ]] && printf '%s\\n' "$2-1" "$2-2"; }
while IFS= read -r line; do
  read -ra COMP_WORDS <<<"$line"
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
  _evm
  echo "\${COMPREPLY[*]}"
done`;
  const input = lines.map((line) => `${line}\n`).join("");
  const answer = execFileSync("bash", ["-c", script + ask], { input, encoding: "utf8" });
  return answer.trimEnd().split("\n");
}

describe("completion", () => {
  test("knows commands, options, values and names, each in its place", async () => {
    const cases = [
      ["evm im", "images"],
      ["evm images ", "list add remove help"],
      ["evm images add --os ", "linux windows"],
      ["evm images add x --disk-s", "--disk-sha256 --disk-size"],
      ["evm scale ", "fleets-1 fleets-2"],
      ["evm scale web ", ""],
      ["evm delete web ", "fleets-1 fleets-2"],
      ["evm ps --host ", "hosts-1 hosts-2"],
      ["evm --server h:1 --json logs --tail 3 instances-2", "instances-2"],
      ["evm images remove ", "images-1 images-2"],
      ["evm plan --delete ", "fleets-1 fleets-2"],
      ["evm apply -f /us", "/usr"],
      ["evm completion ", "bash zsh fish"],
    ] as const;
    const offered = await offeredByBash(...cases.map(([line]) => line));
    expect(cases.map(([line], at) => [line, offered[at] ?? ""])).toEqual(cases);
  });

  test("has a script for every shell, with every command", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const { out } = await evm(NOWHERE, "completion", shell);
      for (const word of ["images", "sha256", "undrain", "__complete"]) expect(out).toContain(word);
      expect(out).not.toContain("undefined");
    }
    expect((await evm(NOWHERE, "completion", "csh")).code).toBe(2);
  });

  test("asks the coordinator for names", async () => {
    await using cluster = await startCluster();
    await using _host = await startHost(cluster, "h1");
    const server = cluster.address;
    const fleet =
      "{name: web, replicas: 2, container: {image: 'web:1'}, resources: {memoryMib: 1}}";
    await evm({ server, input: fleet }, "apply", "-f", "-", "--wait");
    const names = async (kind: string) => (await evm({ server }, "__complete", kind)).out;
    expect(await names("fleets")).toBe("web\n");
    expect(await names("instances")).toBe("web-0000\nweb-0001\n");
    expect(await names("hosts")).toBe("h1\n");
    expect(await names("images")).toBe("");
  });
});

test("every command shows by an example how it is used", async () => {
  const { out } = await evm(NOWHERE, "--help");
  const commands = [...out.matchAll(/^ {2}([a-z]+) .*$/gm)].map(([, name = ""]) => name);
  expect(commands).toContain("apply");
  for (const command of commands.filter((name) => name !== "help")) {
    const help = await evm(NOWHERE, command, "--help");
    expect([command, help.code]).toEqual([command, 0]);
    expect(help.out).toContain("Example");
  }
});
