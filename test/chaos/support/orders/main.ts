/** The program of `orders.ts`. Its argument is the addresses of the NATS servers, as JSON. */
import { argv } from "node:process";
import { connectCoordinator } from "../../../../packages/store/src/index.ts";

const PATIENCE_MS = 20_000;

await using store = await connectCoordinator({
  servers: JSON.parse(argv[2] ?? "[]"),
  id: "onlooker",
  signal: AbortSignal.timeout(PATIENCE_MS),
  onError: (error) => console.error(error),
});
const orders = [...store.control().orders].map(([host, { value }]) => {
  return [host, { epoch: value.epoch, generation: value.generation }];
});
console.log(JSON.stringify(Object.fromEntries(orders)));
