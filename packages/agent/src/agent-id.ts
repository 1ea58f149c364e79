/**
 * What tells this machine apart from others that bear the same host name: made by chance at the
 * first start, and kept with the orders, which are for it alone. A copy of the state directory has
 * it too: whoever clones a machine that has run an agent removes that directory from the clone.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AgentId, isAgentId } from "@evm/fleet";
import { isMissing, type StateDir } from "./state-dir.ts";

/** In the state directory. */
export const AGENT_ID_FILE = "agent-id";

/** For who only looks, at the state directory at this path; undefined before the first start. */
export async function keptAgentId(path: string): Promise<AgentId | undefined> {
  try {
    return parseAgentId(await readFile(join(path, AGENT_ID_FILE), "utf8"));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/**
 * The id that is kept, or a new one.
 *
 * @param newId makes one that no other agent has
 * @throws where it cannot be read, understood or kept: under another id the agent would be taken
 *   for another machine
 */
export async function loadAgentId(stateDir: StateDir, newId: () => string): Promise<AgentId> {
  const kept = await stateDir.read(AGENT_ID_FILE);
  const id = parseAgentId(kept === undefined ? newId() : new TextDecoder().decode(kept));
  if (kept === undefined) await stateDir.write(AGENT_ID_FILE, Buffer.from(`${id}\n`));
  return id;
}

/** @param text what the file holds */
function parseAgentId(text: string): AgentId {
  const id = text.trim();
  if (isAgentId(id)) return id;
  const problem = `${AGENT_ID_FILE} in the state directory: "${id}" is no id of an agent`;
  throw new Error(`${problem}; without the file this is another machine from now on`);
}
