/** Commands that may disturb much want to be told how much, by whoever gives them. */
import { type Command, InvalidArgumentError } from "commander";

/** What `addConfirmOption` adds to a command's options. */
export type ConfirmOptions = { readonly confirm?: number };

/** Adds `--confirm`. */
export const addConfirmOption = (command: Command, of: string): Command =>
  command.option("--confirm <number>", `how many ${of}, where it asks for that`, count);

/** What a request says of it. */
export const confirmedBy = ({ confirm }: ConfirmOptions): { readonly confirmed?: number } =>
  confirm === undefined ? {} : { confirmed: confirm };

function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number, as the refusal names it.");
}
