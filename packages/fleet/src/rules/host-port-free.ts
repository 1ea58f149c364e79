import { nameSome, type Rule } from "../rule.ts";

/** Nothing of EVM's uses a port of the host that the template maps to. */
export const hostPortFree: Rule = {
  name: "host-port",
  admits: (host, { hostPorts }) => !hostPorts.some((port) => host.hasHostPort(port)),
  explain: (refused, { hostPorts }) => {
    const taken = hostPorts.filter((port) => refused.some((host) => host.hasHostPort(port)));
    const hosts = nameSome(refused.map((host) => host.name));
    return `needs port ${taken.join(", ")} of the host; it is taken on ${hosts}`;
  },
};
