import { chmod, mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { extract } from "tar-stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packBuildContext } from "./build-context.ts";

let folder: string;
const { signal } = new AbortController();
const packed = (dockerfile = "Dockerfile") => packBuildContext({ folder, dockerfile }, signal);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "evm-context-"));
  await writeFile(join(folder, "Dockerfile"), "FROM scratch\n");
});

afterEach(() => rm(folder, { recursive: true }));

const entriesOf = async (content: Uint8Array): Promise<readonly string[]> => {
  const tar = extract();
  tar.end(content);
  const entries: string[] = [];
  for await (const entry of tar) {
    const { type, name, mode, linkname } = entry.header;
    entries.push(`${type} ${name} ${mode?.toString(8)}${linkname ? ` -> ${linkname}` : ""}`);
    entry.resume();
  }
  return entries;
};

test("holds files, empty folders, links and what may be executed, sorted", async () => {
  await mkdir(join(folder, "b/empty"), { recursive: true });
  await writeFile(join(folder, "b/run"), "");
  await chmod(join(folder, "b/run"), 0o700);
  await symlink("b/run", join(folder, "a"));
  await writeFile(join(folder, "n".repeat(150)), "");
  expect(await entriesOf((await packed()).content)).toEqual([
    "file Dockerfile 644",
    "symlink a 777 -> b/run",
    "directory b 755",
    "directory b/empty 755",
    "file b/run 755",
    `file ${"n".repeat(150)} 644`,
  ]);
});

test("gives the same bytes whenever and by whomever it is packed", async () => {
  const before = await packed();
  await utimes(join(folder, "Dockerfile"), 1, 1);
  await chmod(join(folder, "Dockerfile"), 0o600);
  expect(await packed()).toEqual(before);
  expect(before.digest).toBe(
    "sha256:a707d28d50d06f45b4fcb15b7664fd321a63c3dada1280ab3a84932741847554",
  );
  await writeFile(join(folder, "Dockerfile"), "FROM other\n");
  expect((await packed()).digest).not.toBe(before.digest);
});

test("leaves out what .dockerignore names, but never the Dockerfile", async () => {
  await mkdir(join(folder, "node_modules/x"), { recursive: true });
  await writeFile(join(folder, "node_modules/x/index.js"), "");
  await writeFile(join(folder, "a.log"), "");
  await writeFile(join(folder, "keep.log"), "");
  await writeFile(
    join(folder, ".dockerignore"),
    "# not these\nnode_modules\n*.log\n!keep.log\nD*\n",
  );
  expect(await entriesOf((await packed()).content)).toEqual([
    "file .dockerignore 644",
    "file Dockerfile 644",
    "file keep.log 644",
  ]);
});

test("without its Dockerfile it is refused", async () => {
  await expect(packed("prod/Dockerfile")).rejects.toMatchObject({
    code: "unreadable",
    message: `packing ${folder}: there is no prod/Dockerfile in it`,
  });
});

test("that does not exist is refused", async () => {
  const missing = { folder: join(folder, "none"), dockerfile: "Dockerfile" };
  await expect(packBuildContext(missing, signal)).rejects.toMatchObject({
    code: "unreadable",
    message: expect.stringContaining("no such file or directory"),
  });
});

test("with something that is no file is refused", async () => {
  const server = createServer().listen(join(folder, "socket"));
  await expect(packed()).rejects.toMatchObject({
    code: "unreadable",
    message: `packing ${join(folder, "socket")}: not a file, folder or symbolic link`,
  });
  server.close();
});

test("above the limit is refused before it is read whole, with the largest file", async () => {
  await writeFile(join(folder, "a"), "");
  await truncate(join(folder, "a"), 40 * 1024 * 1024);
  await writeFile(join(folder, "b"), "");
  await truncate(join(folder, "b"), 30 * 1024 * 1024);
  await expect(packed()).rejects.toMatchObject({
    code: "tooLarge",
    message: expect.stringContaining("the largest so far is a. Name what the build does not need"),
  });
});

test("stops when it is cancelled", async () => {
  const call = packBuildContext({ folder, dockerfile: "Dockerfile" }, AbortSignal.abort());
  await expect(call).rejects.toMatchObject({ name: "AbortError" });
});
