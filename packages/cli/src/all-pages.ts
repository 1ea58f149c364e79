/** As many as a page may hold: fewer calls for whoever wants all. */
const PAGE_SIZE = 1_000;

/** Every item of a list that comes in pages. */
export async function allPages<T>(
  load: (page: { pageSize: number; pageToken: string }) => Promise<{
    readonly items: readonly T[];
    readonly nextPageToken: string;
  }>,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let pageToken = ""; ; ) {
    const { items, nextPageToken } = await load({ pageSize: PAGE_SIZE, pageToken });
    all.push(...items);
    if (nextPageToken === "") return all;
    pageToken = nextPageToken;
  }
}
