import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { startCluster } from "../../packages/coordinator/test/cluster.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { evm } from "./evm.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

test("an image of local files is added with what they are, listed and removed", async () => {
  await using cluster = await startCluster();
  await using folder = await temporaryDirectory("cli");
  const server = cluster.address;
  const disk = join(folder.path, "disk.img");
  const kernel = join(folder.path, "vmlinuz");
  await writeFile(disk, Buffer.from("QFI\u00fb and more", "latin1"));
  await writeFile(kernel, "kernel");
  expect((await evm({ server }, "images")).out).toMatch(/^No images/);

  const added = await evm(
    { server },
    ...["images", "add", "micro", "--disk", disk, "--kernel", kernel, "--cmdline", "quiet"],
    "--json",
  );
  expect(JSON.parse(added.out)).toMatchObject({
    image: {
      image: {
        name: "micro",
        osFamily: "OS_FAMILY_LINUX",
        diskFormat: "DISK_FORMAT_QCOW2",
        disk: { url: pathToFileURL(disk).href, sizeBytes: "13" },
        kernelBoot: {
          kernel: {
            url: pathToFileURL(kernel).href,
            digest: `sha256:${sha256("kernel")}`,
            sizeBytes: "6",
          },
          cmdline: "quiet",
        },
      },
    },
  });
  const listed = await evm({ server }, "images", "list");
  const [, line = ""] = listed.out.split("\n");
  expect(line).toMatch(/^micro {2}linux {2}qcow2 +13 B {2}kernel {2}sha256:[0-9a-f]{12} {2}-$/);
  expect((await evm({ server }, "images", "remove", "micro")).out).toBe("micro removed\n");
  expect((await evm({ server }, "images", "remove", "micro")).code).toBe(3);
});

test("an image at a URL needs its digest; its size is asked for", async () => {
  await using cluster = await startCluster();
  const server = cluster.address;
  const web = createServer((request, response) => {
    const isThere = request.url === "/disk.qcow2";
    response.writeHead(isThere ? 200 : 404, { "content-length": isThere ? "4711" : "0" }).end();
  });
  web.listen(0, "127.0.0.1");
  await once(web, "listening");
  await using _web = { [Symbol.asyncDispose]: async () => void web.close() };
  const { port } = web.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/disk.qcow2`;

  const without = await evm({ server }, "images", "add", "far", "--disk", url);
  expect([without.code, without.err]).toEqual([2, expect.stringContaining("needs --disk-sha256")]);
  const digest = sha256("x");
  const add = ["images", "add", "far", "--json", "--disk-sha256", digest, "--disk"];
  const added = await evm({ server }, ...add, url);
  expect(JSON.parse(added.out).image.image.disk).toEqual({
    url,
    digest: `sha256:${digest}`,
    sizeBytes: "4711",
  });
  const missing = await evm({ server }, ...add, `${url}.gz`, "--format", "qcow2");
  expect(missing.code).toBe(1);
  expect(missing.err).toContain("404 Not Found; say it with --disk-size");
  const said = ["--format", "raw", "--disk-size", "7"];
  const known = await evm({ server }, ...add, `${url}.gz`, ...said);
  expect(JSON.parse(known.out).image.image.disk.sizeBytes).toBe("7");
  const unclear = await evm({ server }, ...add, `${url}.gz`);
  expect(unclear.err).toContain("does not tell its format: say --format");
});

test("what is wrong with an image is said by the option that named it", async () => {
  await using cluster = await startCluster();
  await using folder = await temporaryDirectory("cli");
  const server = cluster.address;
  const disk = join(folder.path, "disk.raw");
  const none = join(folder.path, "none");
  await writeFile(disk, "disk");
  const add = (...args: readonly string[]) => evm({ server }, "images", "add", "x", ...args);
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["--disk", none], `--disk: ${none}: no such file or directory\n`],
    [["--disk", disk, "--kernel", none], `--kernel: ${none}: no such file or directory\n`],
    [["--disk", "http://"], '--disk: "http://"; expected a path, or a file:, http: or https: URL'],
    [["--disk", disk, "--kernel", "file://h/k"], '--kernel: "file://h/k"; expected a path'],
    [["--disk", disk, "--disk-sha256", sha256("other")], "--disk-sha256: "],
    [["--disk", disk, "--disk-sha256", "abc"], '--disk-sha256: "abc"; expected 64 hex digits'],
    [["--disk", disk, "--disk-size", "5"], "--disk-size: 5; the file has 4 bytes"],
    [["--disk", disk, "--initrd", disk], "need --kernel"],
    [[], "--disk <file>"],
  ];
  for (const [args, expected] of cases) {
    const ran = await add(...args);
    expect([args, ran.code]).toEqual([args, 2]);
    expect(ran.err).toContain(expected);
  }
  expect((await evm({ server }, "images")).out).toMatch(/^No images/);
});
