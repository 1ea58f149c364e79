/** Small fleets for tests. */
import { GUEST_MEMORY_MIB, GUEST_UP } from "../../support/guest.ts";

type Named = { readonly name: string; readonly replicas?: number };

/** VMs of the image `micro`, ready once their console says that they are up. */
export const vms = ({ name, replicas = 1 }: Named, image = "micro") => ({
  name,
  replicas,
  vm: { image, readyWhenConsoleShows: { text: GUEST_UP.trim(), timeout: "2m" } },
  resources: { memoryMib: GUEST_MEMORY_MIB, diskGib: 0.0625 },
});

/** What containers run: says so, then counts; ends at once when it is asked to. */
const COUNT = `trap 'exit 0' TERM
echo "started with $WORD"
n=0; while :; do echo "count $n"; n=$((n + 1)); sleep 1 & wait $!; done`;

/** Containers that write a line a second. */
export const containers = ({ name, replicas = 1 }: Named, word = "something") => ({
  name,
  replicas,
  container: {
    image: "evm/busybox:1",
    command: ["sh", "-c", COUNT],
    environment: { WORD: word },
  },
  resources: { vcpus: 0.1, memoryMib: 32, diskGib: 0.01 },
});

/** A Dockerfile, unlike all others by `word`. */
export const dockerfile = (word: string): string => `FROM evm/busybox:1
ENV WORD=${word}
CMD ${JSON.stringify(["sh", "-c", COUNT])}
`;

/** Containers that are built from a folder. */
export const built = ({ name, replicas = 1 }: Named, folder: string) => ({
  name,
  replicas,
  container: { build: folder },
  resources: { vcpus: 0.1, memoryMib: 32, diskGib: 0.01 },
});
