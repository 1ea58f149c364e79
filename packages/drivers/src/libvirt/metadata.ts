/** Where marks are kept: in the metadata of their domain. */
import {
  AffectFlags,
  type Connection,
  type DomainRef,
  hasCode,
  isOperationInvalid,
} from "@evm/libvirt";
import { bareMarksToXml, MARKS_PREFIX, MARKS_URI, type Marks, marksFromXml } from "./marks.ts";

/** Undefined where the domain is not EVM's; throws where there is no such domain. */
export async function readMarks(
  connection: Connection,
  domain: DomainRef,
  signal: AbortSignal,
): Promise<Marks | undefined> {
  try {
    const part = { kind: "element", uri: MARKS_URI } as const;
    return marksFromXml(await connection.domains.metadata(domain, part, { signal }));
  } catch (error) {
    if (hasCode(error, "NO_DOMAIN_METADATA")) return undefined;
    throw error;
  }
}

/** Writes to the definition, and where the domain runs, to that too: both show the same. */
export async function writeMarks(
  connection: Connection,
  domain: DomainRef,
  marks: Marks,
  signal: AbortSignal,
): Promise<void> {
  const value = bareMarksToXml(marks);
  const metadata = { kind: "element", uri: MARKS_URI, key: MARKS_PREFIX, value } as const;
  const { config, live } = AffectFlags;
  try {
    await connection.domains.setMetadata(domain, metadata, { signal, flags: config | live });
  } catch (error) {
    // It does not run.
    if (!isOperationInvalid(error)) throw error;
    await connection.domains.setMetadata(domain, metadata, { signal, flags: config });
  }
}
