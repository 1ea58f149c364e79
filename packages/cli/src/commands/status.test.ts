import { create } from "@bufbuild/protobuf";
import { GetClusterStatusResponseSchema } from "@evm/protocol";
import { expect, test } from "vitest";
import { recordingTerminal } from "../output/recording-terminal.testing.ts";
import { statusText } from "./status.ts";

const status = { coordinator: "c1", leader: "c1", epoch: 7n, hostsUp: 30, isStoreConnected: true };

test("a brake that holds comes before all else, with how to end it", () => {
  const brake = { silent: 20, known: 50, most: 15, overdue: 19 };
  const text = statusText(
    recordingTerminal(),
    create(GetClusterStatusResponseSchema, { ...status, brake }),
  );
  expect(text.split("\n").slice(0, 7)).toEqual([
    "20 of 50 hosts are silent at once, more than 15: EVM takes itself to be",
    "cut off from them, calls none of them lost and moves nothing, until enough are back.",
    "If they are lost indeed:",
    "  evm hosts confirm-lost --all-silent --confirm 19",
    "",
    "coordinator  c1, version ",
    "leader       c1 (epoch 7)",
  ]);
});

test("hosts are counted by what became of them", () => {
  const hosts = { hostsLost: 1, hostsInMaintenance: 2, hostsDraining: 3, hostsCordoned: 4 };
  const text = statusText(
    recordingTerminal(),
    create(GetClusterStatusResponseSchema, { ...status, ...hosts }),
  );
  expect(text).toContain("hosts        30 up, 1 lost, 2 in maintenance, 3 draining, 4 cordoned\n");
});
