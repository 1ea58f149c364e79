/** The scripts that make shells complete `evm`. */
import type { CommandModel, OptionModel, Value } from "./model.ts";
import { quoted, shellTables } from "./shell-tables.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** The whole script, to be sourced by the shell. */
export function completionScript(shell: Shell, models: readonly CommandModel[]): string {
  switch (shell) {
    case "bash":
      return shellTables(models) + BASH;
    case "zsh":
      return `#compdef evm\n${shellTables(models)}${ZSH}`;
    case "fish":
      return fish(models);
  }
}

const BASH = `
_evm() {
  local evm=\${COMP_WORDS[0]} cur=\${COMP_WORDS[COMP_CWORD]} cmd= takes= at=0 kind= i
  for ((i = 1; i < COMP_CWORD; i++)); do _evm_step "\${COMP_WORDS[i]}"; done
  _evm_kind
  if [[ $kind == files ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "$(_evm_offers | cut -d: -f1)" -- "$cur")
  fi
}
complete -F _evm evm
`;

const ZSH = `
_evm() {
  local evm=\${words[1]} cur=\${words[CURRENT]} cmd= takes= at=0 kind= i
  local -a offers
  for ((i = 2; i < CURRENT; i++)); do _evm_step "\${words[i]}"; done
  _evm_kind
  if [[ $kind == files ]]; then
    _files
  else
    offers=("\${(@f)$(_evm_offers)}")
    _describe evm offers
  fi
}
# Found by its name and run as the function itself, or sourced.
if [[ \${funcstack[1]} == _evm ]]; then _evm "$@"; else compdef _evm evm; fi
`;

/** fish keeps its own tables: one `complete` for each thing that can be typed. */
const fish = (models: readonly CommandModel[]): string =>
  [FISH, ...models.flatMap(fishLines), ""].join("\n");

/** Whether the words typed so far, options left out, begin with these and no deeper command. */
const FISH = `function __evm_at
  set -l words (commandline -opc | string match -v -- '-*')
  set -e words[1]
  set -l wanted $argv
  test (count $words) -ge (count $wanted); or return 1
  for i in (seq (count $wanted))
    test "$words[$i]" = "$wanted[$i]"; or return 1
  end
end
complete -c evm -f`;

function fishLines(model: CommandModel): readonly string[] {
  const { path, commands, options } = model;
  // A path with commands below it is left as soon as one of them is typed.
  const deeper = commands.map(({ name }) => name).join(" ");
  const leave = deeper === "" ? "" : `; and not __fish_seen_subcommand_from ${deeper}`;
  const start = `complete -c evm -n ${quoted(`__evm_at ${path.join(" ")}`.trim() + leave)}`;
  return [
    ...commands.map(({ name, summary }) => `${start} -a ${name} -d ${quoted(summary)}`),
    ...options.map((option) => `${start}${fishOption(option)}`),
    ...new Set(model.arguments.map(({ value }) => `${start}${fishValue(value)}`)),
  ];
}

function fishOption({ flags, summary, value }: OptionModel): string {
  const names = flags.map((flag) =>
    flag.startsWith("--") ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`,
  );
  const takes =
    value === undefined ? "" : `${value.kind === "files" ? " -r" : " -x"}${fishValue(value)}`;
  return `${names.join("")} -d ${quoted(summary)}${takes}`;
}

function fishValue(value: Value): string {
  switch (value.kind) {
    case "names":
      return ` -a ${quoted(`(evm __complete ${value.of} 2>/dev/null)`)}`;
    case "words":
      return ` -a ${quoted(value.words.join(" "))}`;
    case "files":
      return " -F";
    case "free":
      return "";
  }
}
