/** The CPU time of this process and of what it ran. */
import { readFileSync } from "node:fs";

/** How the kernel counts in /proc, on every Linux that EVM runs on: clock ticks of 10 ms. */
const MS_PER_TICK = 10;

/** So far, in milliseconds: this process with its threads, and its children that have ended. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + childrenMs();
}

/** proc(5): the name in parentheses may hold anything; cutime and cstime are fields 16 and 17. */
function childrenMs(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[13]) + Number(fields[14])) * MS_PER_TICK;
}
