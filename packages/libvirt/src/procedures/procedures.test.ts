// The bytes of virsh 9.0 and its daemon, as recorded between them on `test:///default`.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LibvirtError } from "../error.ts";
import {
  encodeFrame,
  type Frame,
  FrameSplitter,
  FrameStatus,
  FrameType,
  Program,
} from "../frame.ts";
import type { Procedure } from "../procedure.ts";
import { XdrReader } from "../xdr-reader.ts";
import { connectionProcedures } from "./connection.ts";
import { domainProcedures } from "./domain.ts";
import { domainEventProcedures, readLifecycleMessage } from "./domain-event.ts";
import { networkProcedures } from "./network.ts";
import { poolProcedures, volumeProcedures } from "./storage.ts";

const web = { name: "web", uuid: "c7a5fdbd-edaf-9455-926a-d65c16db1809", id: undefined };
const pool = { name: "default-pool", uuid: "dfe224cb-28fb-8dd0-c4b2-64eb3f0f4566" };
const network = { name: "default", uuid: "dd8fe884-6c02-601e-7551-cca97df1c5df" };
const WEB = "0000000377656200c7a5fdbdedaf9455926ad65c16db1809ffffffff";
const POOL = "0000000c64656661756c742d706f6f6cdfe224cb28fb8dd0c4b264eb3f0f4566";
const NETWORK = "0000000764656661756c7400dd8fe8846c02601e7551cca97df1c5df";

function request<Args>(procedure: Procedure<Args, unknown>, args: Args, serial: number): string {
  const { number } = procedure;
  const status = FrameStatus.ok;
  return encodeFrame(
    { program: Program.remote, procedure: number, type: FrameType.call, serial, status },
    (writer) => procedure.encode(writer, args),
  ).toString("hex");
}

function reply<Reply>(procedure: Procedure<never, Reply>, hex: string): Reply {
  const frames: Frame[] = [];
  new FrameSplitter().push(Buffer.from(hex, "hex"), (frame) => frames.push(frame));
  const [frame] = frames;
  expect(frame).toMatchObject({ procedure: procedure.number, type: FrameType.reply, version: 1 });
  const reader = new XdrReader(frame?.payload ?? Buffer.alloc(0));
  const decoded = procedure.decode(reader);
  reader.expectEnd();
  return decoded;
}

describe("requests are byte for byte those of virsh", () => {
  test("opening a hypervisor", () => {
    expect(request(connectionProcedures.open, { uri: "test:///default", flags: 0 }, 2)).toBe(
      "00000038200080860000000100000001000000000000000200000000" +
        "000000010000000f746573743a2f2f2f64656661756c740000000000",
    );
  });

  test("asking for a feature", () => {
    expect(request(connectionProcedures.supportsFeature, 10, 1)).toBe(
      "0000002020008086000000010000003c0000000000000001000000000000000a",
    );
  });

  test("listing domains", () => {
    expect(request(domainProcedures.list, 3, 6)).toBe(
      "000000242000808600000001000001110000000000000006000000000000000100000003",
    );
  });

  test("defining a domain", () => {
    const xml =
      "<domain type='test'><name>web</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>" +
      "<memory>8192</memory><os><type>hvm</type></os></domain>";
    expect(request(domainProcedures.define, { xml, flags: 1 }, 6)).toBe(
      "000000b020008086000000010000015e0000000000000006000000000000008c" +
        `${Buffer.from(xml).toString("hex")}00000001`,
    );
  });

  test("looking up, starting, destroying and undefining one", () => {
    expect(request(domainProcedures.lookupByName, "web", 7)).toBe(
      "000000242000808600000001000000170000000000000007000000000000000377656200",
    );
    expect(request(domainProcedures.create, { domain: web, flags: 1 }, 8)).toBe(
      `0000003c2000808600000001000000c4000000000000000800000000${WEB}00000001`,
    );
    expect(request(domainProcedures.destroy, { domain: web, flags: 1 }, 12)).toBe(
      `0000003c2000808600000001000000ea000000000000000c00000000${WEB}00000001`,
    );
    expect(request(domainProcedures.undefine, { domain: web, flags: 4 }, 0x4d)).toBe(
      `0000003c2000808600000001000000e7000000000000004d00000000${WEB}00000004`,
    );
  });

  test("statistics of one domain", () => {
    expect(request(domainProcedures.stats, { domains: [web], groups: 1, flags: 0 }, 10)).toBe(
      `00000044200080860000000100000158000000000000000a0000000000000001${WEB}0000000100000000`,
    );
  });

  test("registering for events, and ending that", () => {
    expect(request(domainEventProcedures.register, { eventId: 0, domain: undefined }, 19)).toBe(
      "0000002420008086000000010000013c0000000000000013000000000000000000000000",
    );
    expect(request(domainEventProcedures.deregister, 1, 47)).toBe(
      "0000002020008086000000010000013d000000000000002f0000000000000001",
    );
  });

  test("storage and networks", () => {
    expect(request(volumeProcedures.lookupByName, { pool, name: "nope" }, 16)).toBe(
      `0000004420008086000000010000005f000000000000001000000000${POOL}000000046e6f7065`,
    );
    expect(request(poolProcedures.info, pool, 0x53)).toBe(
      `0000003c200080860000000100000057000000000000005300000000${POOL}`,
    );
    expect(request(networkProcedures.dhcpLeases, { network, mac: undefined }, 0x51)).toBe(
      `0000004420008086000000010000015500000000000000510000000` +
        `0${NETWORK}000000000000000100000000`,
    );
  });
});

describe("replies are read as the daemon writes them", () => {
  test("a list of domains", () => {
    const hex =
      "000000402000808600000001000001110000000100000006000000000000000100000004" +
      "746573746695eb01f6a4830479aa97f2502e193f0000000100000001";
    expect(reply(domainProcedures.list, hex)).toEqual([
      { name: "test", uuid: "6695eb01-f6a4-8304-79aa-97f2502e193f", id: 1 },
    ]);
  });

  test("a defined domain has no id", () => {
    const hex = `0000003820008086000000010000015e000000010000000600000000${WEB}`;
    expect(reply(domainProcedures.define, hex)).toEqual(web);
  });

  test("statistics", () => {
    const hex =
      `00000070200080860000000100000158000000010000000a0000000000000001${WEB}` +
      "000000020000000b73746174652e7374617465000000000100000005" +
      "0000000c73746174652e726561736f6e0000000100000000";
    expect(reply(domainProcedures.stats, hex)).toEqual([
      {
        domain: web,
        parameters: new Map([
          ["state.state", 5],
          ["state.reason", 0],
        ]),
      },
    ]);
  });

  test("a domain's state by name", () => {
    const hex = "000000242000808600000001000000d40000000100000007000000000000000100000000";
    expect(reply(domainProcedures.state, hex)).toEqual({ state: "running", reason: "unknown" });
  });

  test("a pool's figures", () => {
    const hex =
      "00000038200080860000000100000057000000010000005300000000" +
      "00000002000000190000000000000000000000000000001900000000";
    expect(reply(poolProcedures.info, hex)).toEqual({
      state: "running",
      capacityBytes: 100 * 2 ** 30,
      allocationBytes: 0,
      availableBytes: 100 * 2 ** 30,
    });
  });

  test("a host", () => {
    const hex =
      "000000bc200080860000000100000006000000010000005600000000" +
      `00000069000000360000003800000036${"00000000".repeat(28)}` +
      "00000000003000000000001000000578" +
      "00000002000000020000000200000002";
    expect(reply(connectionProcedures.nodeInfo, hex)).toEqual({
      model: "i686",
      memoryKib: 3_145_728,
      cpus: 16,
      mhz: 1400,
      numaNodes: 2,
      socketsPerNode: 2,
      coresPerSocket: 2,
      threadsPerCore: 2,
    });
  });

  test("a lifecycle event", () => {
    const hex = `00000001${WEB}0000000500000001`;
    expect(readLifecycleMessage(new XdrReader(Buffer.from(hex, "hex")))).toEqual({
      callbackId: 1,
      event: { domain: web, event: "stopped", detail: "destroyed" },
    });
  });
});

const tables = [
  connectionProcedures,
  domainProcedures,
  domainEventProcedures,
  networkProcedures,
  poolProcedures,
  volumeProcedures,
];
const all = tables.flatMap((table): readonly Procedure<never, unknown>[] => Object.values(table));

test("no two procedures share a number or a name", () => {
  expect(new Set(all.map((procedure) => procedure.number)).size).toBe(all.length);
  expect(new Set(all.map((procedure) => procedure.name)).size).toBe(all.length);
});

test.each(all.map((procedure) => [procedure.name, procedure] as const))(
  "any bytes as a reply to %s end in a value or a LibvirtError",
  (_, procedure) => {
    const word = fc.oneof(
      fc.constantFrom(0, 1, 2, 3, 4, 7, 0xffffffff, 0x7fffffff),
      fc.nat(0xffffffff),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const bytes = Buffer.alloc(words.length * 4);
        for (const [index, value] of words.entries()) bytes.writeUInt32BE(value, index * 4);
        try {
          procedure.decode(new XdrReader(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(LibvirtError);
        }
      }),
      { numRuns: 60 },
    );
  },
);
