/**
 * The bare half of the deploy bench: a loop of libvirt and Docker calls that makes what EVM made,
 * with as many at once as an agent allows itself. What it makes are copies of one VM and one
 * container of EVM's own, so that the two halves cannot differ.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import {
  type Connection,
  connect,
  type Domain,
  DomainXmlFlags,
} from "../../packages/libvirt/src/index.ts";
import { GUEST_UP, guestFile } from "../support/guest.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
  CONTAINER_FLEET,
  DISK_GIB,
  PREFIX,
  type Size,
  type Times,
  VM_FLEET,
} from "./deploy-model.ts";
import { docker, dockerObject, isObject, type JsonObject } from "./support/docker-api.ts";
import { Slots } from "./support/pool.ts";

/** What EVM made of one VM and of one container. */
export type Blueprint = { readonly domainXml: string; readonly container: JsonObject };

/** How an agent shares out its host; emulated, a VM keeps its place until it is ready. */
const VM_SLOTS = {
  emulated: { prepares: 4, starts: 2, isHeldUntilReady: true },
  kvm: { prepares: 8, starts: 4, isHeldUntilReady: false },
} as const;
const CONTAINER_SLOTS = { prepares: 16, starts: 4 } as const;

/** Often enough to add nothing that counts to a boot of seconds. */
const LOOK_INTERVAL_MS = 50;
const READY_TIMEOUT_MS = 600_000;

const run = promisify(execFile);

/** Reads it off the first instances of EVM's fleets, which must be there. */
export async function readBlueprint(): Promise<Blueprint> {
  await using connection = await connect({ uri: "qemu:///system" });
  const { domains } = connection;
  const first = await domains.lookupByName(`${VM_FLEET}-0000.1`);
  const domainXml = await domains.xml(first, { flags: DomainXmlFlags.inactive });
  const container = await dockerObject("GET", `/containers/${CONTAINER_FLEET}-0000.1/json`);
  return { domainXml, container };
}

/** Makes so many of both, waits for all of them to be ready, and removes them. */
export async function deployBare(
  size: Size,
  blueprint: Blueprint,
  signal: AbortSignal,
): Promise<Times> {
  await using folder = await temporaryDirectory("bench");
  // QEMU may run as another user.
  await chmod(folder.path, 0o755);
  for (const file of ["vmlinuz", "initrd.img", "disk.qcow2"] as const) {
    await copyFile(guestFile(file), join(folder.path, file));
  }
  await using connection = await connect({ uri: "qemu:///system" });
  const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  const startedAt = performance.now();
  const ready = async (made: Promise<unknown>) => {
    await made;
    return performance.now() - startedAt;
  };
  const vms = startVms(size.vms, { folder: folder.path, connection, blueprint, signal: limit });
  const containers = startContainers(size.containers, blueprint.container, limit);
  // Also where one fails the others are waited for: what they make is to be found and removed.
  const outcomes = await Promise.allSettled([ready(vms), ready(containers)]);
  const [vmsReady = 0, containersReady = 0] = outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
  const removedFrom = performance.now();
  await sweep();
  return {
    vmsReady,
    containersReady,
    allReady: Math.max(vmsReady, containersReady),
    removed: performance.now() - removedFrom,
  };
}

/** Removes whatever bears the bench's name, of this run or of an earlier one that was killed. */
export async function sweep(): Promise<void> {
  await using connection = await connect({ uri: "qemu:///system" });
  const { domains } = connection;
  const ours = (await domains.list()).filter(({ name }) => name.startsWith(PREFIX));
  const filters = encodeURIComponent(JSON.stringify({ name: [`^/${PREFIX}`] }));
  const containers = await docker("GET", `/containers/json?all=true&filters=${filters}`);
  const ids = (Array.isArray(containers) ? containers : []).map((one: JsonObject) => one["Id"]);
  const slots = new Slots(CONTAINER_SLOTS.starts);
  await Promise.all([
    ...ours.map(async (domain) => {
      if (domain.id !== undefined) await domains.destroy(domain);
      await domains.undefine(domain);
    }),
    ...ids.map((id) => slots.run(() => docker("DELETE", `/containers/${id}?force=true&v=true`))),
  ]);
}

type VmWork = {
  readonly folder: string;
  readonly connection: Connection;
  readonly blueprint: Blueprint;
  readonly signal: AbortSignal;
};

async function startVms(count: number, work: VmWork): Promise<void> {
  const isEmulated = /^<domain type='qemu'/.test(work.blueprint.domainXml);
  const { prepares, starts, isHeldUntilReady } = VM_SLOTS[isEmulated ? "emulated" : "kvm"];
  const prepareSlots = new Slots(prepares);
  const startSlots = new Slots(starts);
  await all(count, async (at) => {
    const name = `${PREFIX}bare-vm-${at}`;
    const domain = await prepareSlots.run(() => prepareVm(name, work));
    const ready = () => untilReady(join(work.folder, name, "console.log"), work.signal);
    await startSlots.run(async () => {
      work.signal.throwIfAborted();
      await work.connection.domains.create(domain);
      if (isHeldUntilReady) await ready();
    });
    await ready();
  });
}

async function prepareVm(
  name: string,
  { folder, connection, blueprint, signal }: VmWork,
): Promise<Domain> {
  const own = join(folder, name);
  await mkdir(own);
  const create = ["create", "-q", "-f", "qcow2", "-F", "qcow2"];
  const base = join(folder, "disk.qcow2");
  await run("qemu-img", [...create, "-b", base, join(own, "disk.qcow2"), `${DISK_GIB}G`], {
    signal,
  });
  const metaData = join(own, "meta-data");
  const userData = join(own, "user-data");
  await writeFile(metaData, `instance-id: ${name}\nlocal-hostname: ${name}\n`);
  await writeFile(userData, "#cloud-config\n");
  const seed = ["-quiet", "-volid", "cidata", "-joliet", "-rock", "-output"];
  await run("genisoimage", [...seed, join(own, "seed.iso"), metaData, userData], { signal });
  return await connection.domains.define(bareXml(blueprint.domainXml, name, folder));
}

/** EVM's own description, with other names and paths, and without EVM's mark. */
function bareXml(xml: string, name: string, folder: string): string {
  const [, disk = ""] = /<source file='([^']+\/disk\.qcow2)'/.exec(xml) ?? [];
  if (disk === "") throw new Error("the bench expected EVM's VM to have a disk disk.qcow2");
  return xml
    .replace(/<metadata>.*<\/metadata>/s, "")
    .replace(/<uuid>.*<\/uuid>/, "")
    .replaceAll(/<mac address='[^']*'\/>/g, "")
    .replace(/<kernel>.*<\/kernel>/, `<kernel>${folder}/vmlinuz</kernel>`)
    .replace(/<initrd>.*<\/initrd>/, `<initrd>${folder}/initrd.img</initrd>`)
    .replaceAll(dirname(disk), join(folder, name))
    .replace(/<name>.*<\/name>/, `<name>${name}</name>`)
    .replaceAll(`${VM_FLEET}-0000`, name);
}

/** As EVM sees it: the console's log shows that the guest is up. */
async function untilReady(log: string, signal: AbortSignal): Promise<void> {
  while (!(await readFile(log, "utf8").catch(() => "")).includes(GUEST_UP.trim())) {
    await delay(LOOK_INTERVAL_MS, undefined, { signal });
  }
}

async function startContainers(
  count: number,
  { Config, HostConfig }: JsonObject,
  signal: AbortSignal,
): Promise<void> {
  const prepareSlots = new Slots(CONTAINER_SLOTS.prepares);
  const startSlots = new Slots(CONTAINER_SLOTS.starts);
  const config = isObject(Config) ? Config : {};
  await all(count, async (at) => {
    const name = `${PREFIX}bare-container-${at}`;
    // Without EVM's labels: an agent is not to take it for its own.
    const body = { ...config, Hostname: name, Labels: {}, HostConfig };
    const path = `/containers/create?name=${name}`;
    const { Id } = await prepareSlots.run(() => dockerObject("POST", path, body));
    await startSlots.run(async () => {
      signal.throwIfAborted();
      await docker("POST", `/containers/${Id}/start`);
    });
    await untilRunning(String(Id));
  });
}

/** Without a health check, what runs is ready. */
async function untilRunning(id: string): Promise<void> {
  const { State } = await dockerObject("GET", `/containers/${id}/json`);
  if (!isObject(State) || State["Running"] !== true) {
    throw new Error(`container ${id} has ended: ${JSON.stringify(State)}`);
  }
}

/** Does it for each number; fails with the first failure, but not before all have ended. */
async function all(count: number, work: (at: number) => Promise<void>): Promise<void> {
  const numbers = Array.from({ length: count }, (_, at) => at);
  for (const outcome of await Promise.allSettled(numbers.map(work))) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
