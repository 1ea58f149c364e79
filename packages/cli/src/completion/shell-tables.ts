/**
 * What bash and zsh have in common: functions of one text that both understand.
 *
 * `_evm_step WORD` follows one word that stands before the cursor; it keeps `cmd` (the command so
 * far), `at` (how many arguments it has) and `takes` (what the option before waits for).
 * `_evm_kind` then says in `kind` what may stand at the cursor, where the word there is `cur`;
 * `_evm_offers` prints that, a `word:summary` on each line.
 */
import { type CommandModel, NAME_KINDS, type Value } from "./model.ts";

export const shellTables = (models: readonly CommandModel[]): string => `_evm_step() {
  if [[ -n $takes ]]; then takes=; return; fi
  case "$cmd $1" in
${lines(4, models.flatMap(steps))}
    (*" -"*) ;;
    (*) at=$((at + 1)) ;;
  esac
}

_evm_kind() {
  kind=$takes
  if [[ -n $kind ]]; then return; fi
  if [[ $cur == -* ]]; then kind=options; return; fi
  case "$cmd $at" in
${lines(4, models.flatMap(kinds))}
    (*) kind=free ;;
  esac
}

_evm_offers() {
  case "$kind" in
    (${NAME_KINDS.join("|")}) "$evm" __complete "$kind" 2>/dev/null; return ;;
    (words:*) printf '%s\\n' "\${kind#words:}" | tr , '\\n'; return ;;
  esac
  case "$kind $cmd" in
${lines(4, models.flatMap(offers))}
  esac
}
`;

const lines = (indent: number, texts: readonly string[]): string =>
  texts.map((text) => " ".repeat(indent) + text).join("\n");

const pathOf = ({ path }: CommandModel): string => path.join(" ");

function steps(model: CommandModel): readonly string[] {
  const { path, options } = model;
  const own = pathOf(model);
  const above = path.slice(0, -1).join(" ");
  const entry = path.length === 0 ? [] : [`("${above} ${path.at(-1)}") cmd="${own}"; at=0 ;;`];
  const values = options.flatMap(({ flags, value }) => {
    if (value === undefined) return [];
    const patterns = flags.map((flag) => `"${own} ${flag}"`).join("|");
    return [`(${patterns}) takes=${kindOf(value)} ;;`];
  });
  return [...entry, ...values];
}

function kinds(model: CommandModel): readonly string[] {
  const own = pathOf(model);
  const commands = model.commands.length > 0 ? [`("${own} 0") kind=commands ;;`] : [];
  const values = model.arguments.map(({ value, isVariadic }, at) => {
    const pattern = isVariadic ? `"${own} "*` : `"${own} ${at}"`;
    return `(${pattern}) kind=${kindOf(value)} ;;`;
  });
  return [...commands, ...values];
}

function offers(model: CommandModel): readonly string[] {
  const own = pathOf(model);
  const options = model.options.flatMap(({ flags, summary }) =>
    flags.map((name) => ({ name, summary })),
  );
  const commands = model.commands;
  return [
    `("options ${own}") printf '%s\\n' ${options.map(offer).join(" ")} ;;`,
    ...(commands.length === 0
      ? []
      : [`("commands ${own}") printf '%s\\n' ${commands.map(offer).join(" ")} ;;`]),
  ];
}

const offer = ({ name, summary }: { readonly name: string; readonly summary: string }): string =>
  quoted(`${name}:${summary}`);

/** As one word of a shell, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** One word without blanks, for the scripts' variables. */
function kindOf(value: Value): string {
  switch (value.kind) {
    case "names":
      return value.of;
    case "words":
      return `words:${value.words.join(",")}`;
    case "files":
    case "free":
      return value.kind;
  }
}
