// The client against libvirtd's built-in test hypervisor: everything that needs no real guest.

import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  type Connection,
  connect,
  isNoDomain,
  isNoNetwork,
  isNoPool,
  isNoVolume,
  isOperationInvalid,
  LibvirtError,
  ListDomainsFlags,
} from "../src/index.ts";
import { describeWithLibvirtd, type PrivateLibvirtd, startLibvirtd } from "./libvirtd.ts";

const NO_UUID = "00000000-0000-4000-8000-000000000000";

const domainXml = (name: string): string =>
  `<domain type='test'><name>${name}</name><memory unit='MiB'>8</memory>` +
  "<os><type>hvm</type></os></domain>";

describeWithLibvirtd("with the test hypervisor", () => {
  let daemon: PrivateLibvirtd;
  let connection: Connection;

  beforeAll(async () => {
    daemon = await startLibvirtd();
  });
  afterAll(async () => {
    await daemon[Symbol.asyncDispose]();
  });
  // The test hypervisor starts afresh when its last connection has ended.
  beforeEach(async () => {
    connection = await connect({ socketPath: daemon.socketPath, uri: "test:///default" });
    return () => connection.close();
  });

  test("the host describes itself", async () => {
    expect(await connection.host.driver()).toBe("TEST");
    expect(await connection.host.uri()).toBe("test:///default");
    expect(await connection.host.libvirtVersion()).toMatch(/^\d+\.\d+\.\d+$/);
    expect(await connection.host.capabilities()).toContain("<capabilities>");
    expect(await connection.host.info()).toMatchObject({ model: "i686", cpus: 16 });
    expect(await connection.host.freeMemoryBytes()).toBeGreaterThan(0);
  });

  test("a domain lives from definition to undefinition, and every event is told", async () => {
    const { domains } = connection;
    await using watch = await domains.watch();
    const web = await domains.define(domainXml("web"));
    expect(await domains.lookupByName("web")).toEqual(web);
    expect(await domains.lookupByUuid(web.uuid)).toEqual(web);
    expect(await domains.state(web)).toEqual({ state: "shutoff", reason: "unknown" });

    const started = await domains.create(web);
    expect(started.id).toBeGreaterThan(0);
    expect(await domains.info(web)).toMatchObject({ state: "running", memoryKib: 8192, vcpus: 1 });
    await domains.suspend(web);
    expect(await domains.state(web)).toEqual({ state: "paused", reason: "user" });
    await domains.resume(web);
    await domains.destroy(web);
    await domains.undefine(web);
    await expect(domains.lookupByUuid(web.uuid)).rejects.toSatisfy(isNoDomain);

    const events: string[] = [];
    for await (const { domain, event, detail } of watch) {
      expect(domain.uuid).toBe(web.uuid);
      events.push(`${event}/${detail}`);
      if (event === "undefined") break;
    }
    expect(events).toEqual([
      "defined/added",
      "started/booted",
      "suspended/paused",
      "resumed/unpaused",
      "stopped/destroyed",
      "undefined/removed",
    ]);
  });

  test("a watch on one domain hears of no other", async () => {
    const { domains } = connection;
    const [web, db] = [
      await domains.define(domainXml("web")),
      await domains.define(domainXml("db")),
    ];
    {
      await using watch = await domains.watch({ domain: db });
      await domains.create(web);
      await domains.create(db);
      for await (const { domain } of watch) {
        expect(domain.name).toBe("db");
        break;
      }
    }
    await domains.destroy(db);
  });

  test("lists narrow by flags, and statistics cover all domains in one call", async () => {
    const { domains } = connection;
    const web = await domains.define(domainXml("web"));
    const names = async (flags?: number) =>
      (await domains.list({ flags })).map((domain) => domain.name).sort();
    expect(await names()).toEqual(["test", "web"]);
    expect(await names(ListDomainsFlags.inactive)).toEqual(["web"]);
    const stats = await domains.stats();
    expect(stats.map(({ domain }) => domain.name).sort()).toEqual(["test", "web"]);
    const [only] = await domains.stats({ domains: [web] });
    expect(only?.parameters.get("state.state")).toBe(5);
  });

  test("metadata and autostart are kept with the domain", async () => {
    const { domains } = connection;
    const web = await domains.define(domainXml("web"));
    const element = { kind: "element", uri: "https://example.org/tag" } as const;
    await domains.setMetadata(web, { kind: "title", value: "Web server" });
    await domains.setMetadata(web, { ...element, key: "tag", value: "<owner>me</owner>" });
    expect(await domains.metadata(web, { kind: "title" })).toBe("Web server");
    expect(await domains.metadata(web, element)).toContain("me</");
    expect(await domains.xml(web)).toContain("https://example.org/tag");
    await domains.setMetadata(web, { ...element, key: "tag", value: undefined });
    await expect(domains.metadata(web, element)).rejects.toMatchObject({
      code: "NO_DOMAIN_METADATA",
    });
    expect(await domains.autostart(web)).toBe(false);
    await domains.setAutostart(web, true);
    expect(await domains.autostart(web)).toBe(true);
  });

  test("what is not there, and what is not possible, is told apart", async () => {
    const { domains, pools, volumes, networks } = connection;
    await expect(domains.lookupByName("nope")).rejects.toSatisfy(isNoDomain);
    await expect(domains.lookupByUuid(NO_UUID)).rejects.toSatisfy(isNoDomain);
    await expect(pools.lookupByName("nope")).rejects.toSatisfy(isNoPool);
    await expect(networks.lookupByName("nope")).rejects.toSatisfy(isNoNetwork);
    await expect(volumes.lookupByPath("/nope")).rejects.toSatisfy(isNoVolume);
    const stopped = await domains.define(domainXml("stopped"));
    await expect(domains.destroy(stopped)).rejects.toSatisfy(isOperationInvalid);
    await expect(domains.define("<domain>")).rejects.toMatchObject({ code: "XML_DETAIL" });
  });

  test("pools and volumes are made, described and removed", async () => {
    const { pools, volumes } = connection;
    const xml = "<pool type='dir'><name>p</name><target><path>/p</path></target></pool>";
    const pool = await pools.define(xml);
    await pools.create(pool);
    expect(await pools.list()).toContainEqual(pool);
    expect(await pools.lookupByUuid(pool.uuid)).toEqual(pool);
    expect(await pools.info(pool)).toMatchObject({ state: "running" });
    expect(await pools.xml(pool)).toContain("<name>p</name>");
    const volumeXml = (name: string) =>
      `<volume><name>${name}</name><capacity unit='MiB'>1</capacity></volume>`;
    const volume = await volumes.create(pool, volumeXml("v"));
    const clone = await volumes.createFrom(pool, volumeXml("w"), volume);
    expect(await volumes.list(pool)).toEqual(expect.arrayContaining([volume, clone]));
    expect(await volumes.lookupByName(pool, "v")).toEqual(volume);
    expect(await volumes.path(volume)).toBe("/p/v");
    expect(await volumes.lookupByPath("/p/v")).toEqual(volume);
    expect(await volumes.info(volume)).toMatchObject({ type: "file", capacityBytes: 2 ** 20 });
    expect(await volumes.xml(volume)).toContain("<name>v</name>");
    for (const each of [volume, clone]) await volumes.delete(each);
    await pools.refresh(pool);
    await pools.destroy(pool);
    await pools.undefine(pool);
    await expect(pools.info(pool)).rejects.toSatisfy(isNoPool);
  });

  test("networks are listed and described, and a domain's addresses on them told", async () => {
    const { networks, domains } = connection;
    const [network] = await networks.list();
    expect(network).toBeDefined();
    if (!network) return;
    expect(await networks.lookupByName(network.name)).toEqual(network);
    expect(await networks.lookupByUuid(network.uuid)).toEqual(network);
    expect(await networks.isActive(network)).toBe(true);
    expect(await networks.xml(network)).toContain("<network");
    await expect(networks.dhcpLeases(network)).rejects.toMatchObject({ code: "NO_SUPPORT" });
    const test = await domains.lookupByName("test");
    const [card] = await domains.interfaceAddresses(test);
    expect(card?.addresses[0]).toMatchObject({ family: "ipv4", prefixLength: 24 });
  });

  test("a thousand calls at once all get their replies", async () => {
    const { domains } = connection;
    const names = Array.from({ length: 250 }, (_, index) => `many-${index}`);
    const made = await Promise.all(names.map((name) => domains.define(domainXml(name))));
    expect(made.map((domain) => domain.name)).toEqual(names);
    await Promise.all(made.map((domain) => domains.create(domain)));
    const states = await Promise.all(made.map((domain) => domains.state(domain)));
    expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["running"]));
    await Promise.all(made.map((domain) => domains.destroy(domain)));
    expect(await domains.list({ flags: ListDomainsFlags.inactive })).toHaveLength(names.length);
  });

  test("a daemon that dies fails what waits and what comes later", async () => {
    await using other = await startLibvirtd();
    const lost = await connect({ socketPath: other.socketPath, uri: "test:///default" });
    const watch = await lost.domains.watch();
    await other.kill();
    expect(await lost.closed).toMatchObject({ code: "connection-lost", isTransient: true });
    await expect(lost.domains.list()).rejects.toBeInstanceOf(LibvirtError);
    await expect(watch[Symbol.asyncIterator]().next()).rejects.toBeInstanceOf(LibvirtError);
  });
});
