/** What can be typed where, taken from the program itself. */
import type { Argument, Command, Option } from "commander";

/** Things whose names the server knows. */
export const NAME_KINDS = ["fleets", "instances", "hosts", "images"] as const;
export type NameKind = (typeof NAME_KINDS)[number];

/** What a value or an argument may be. */
export type Value =
  | { readonly kind: "names"; readonly of: NameKind }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "files" }
  /** Nothing that can be guessed. */
  | { readonly kind: "free" };

export type OptionModel = {
  /** `-f` and `--file` */
  readonly flags: readonly string[];
  readonly summary: string;
  /** Undefined for one that takes none. */
  readonly value: Value | undefined;
};

export type ArgumentModel = { readonly value: Value; readonly isVariadic: boolean };

export type CommandModel = {
  /** Empty for the program itself, `["images", "add"]`. */
  readonly path: readonly string[];
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  /** Those of the whole program included. */
  readonly options: readonly OptionModel[];
  readonly arguments: readonly ArgumentModel[];
};

/** The program and all commands below it that its help shows. */
export function completionModel(program: Command): readonly CommandModel[] {
  return commandModels(program, [], programOptions(program));
}

function commandModels(
  command: Command,
  path: readonly string[],
  common: readonly Option[],
): readonly CommandModel[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const options = new Set([...help.visibleOptions(command), ...common]);
  return [
    {
      path,
      commands: commands.map((item) => ({
        name: item.name(),
        summary: help.subcommandDescription(item),
      })),
      options: [...options].map(optionModel),
      arguments: command.registeredArguments.map(argumentModel),
    },
    ...commands.flatMap((item) => commandModels(item, [...path, item.name()], common)),
  ];
}

/** Those that are understood after every command. */
const programOptions = (program: Command): readonly Option[] =>
  program.options.filter((option) => option.attributeName() !== "version");

const optionModel = (option: Option): OptionModel => ({
  flags: [option.short, option.long].filter((flag) => flag !== undefined),
  summary: option.description,
  value: option.required || option.optional ? optionValue(option) : undefined,
});

function optionValue({ argChoices, flags }: Option): Value {
  const [, name = ""] = /[<[]([a-z-]+)/.exec(flags) ?? [];
  return namedValue(name, argChoices);
}

const argumentModel = (argument: Argument): ArgumentModel => ({
  value: namedValue(argument.name(), argument.argChoices),
  isVariadic: argument.variadic,
});

/** Values are told apart by how the help names them: `<fleet>`, `[files...]`. */
function namedValue(name: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return { kind: "words", words: choices };
  const plural = name.endsWith("s") ? name : `${name}s`;
  if (plural === "files") return { kind: "files" };
  const of = NAME_KINDS.find((kind) => kind === plural);
  return of === undefined ? { kind: "free" } : { kind: "names", of };
}
