import { RpcError } from "@evm/protocol";

/**
 * The answer to a call that removes what was there a moment ago; undefined where the call had to be
 * repeated and found it removed, or somebody else was faster.
 */
export async function unlessGone<T>(removal: Promise<T>): Promise<T | undefined> {
  try {
    return await removal;
  } catch (error) {
    if (error instanceof RpcError && error.code === "notFound") return undefined;
    throw error;
  }
}
