/** Where marks are kept: in the metadata of their domain. */
import { type Connection, type DomainRef, hasCode } from "@evm/libvirt";
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

/** @param options AffectFlags, or'ed: in its definition, in the domain as it runs, or in both */
export async function writeMarks(
  connection: Connection,
  domain: DomainRef,
  marks: Marks,
  options: { readonly flags: number; readonly signal: AbortSignal },
): Promise<void> {
  const value = bareMarksToXml(marks);
  const metadata = { kind: "element", uri: MARKS_URI, key: MARKS_PREFIX, value } as const;
  await connection.domains.setMetadata(domain, metadata, options);
}
