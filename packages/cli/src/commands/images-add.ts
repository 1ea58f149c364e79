import { AddImageResponseSchema, ImageService } from "@evm/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Artifact, describeArtifact, detectFormat, localPath } from "../artifact.ts";
import { CliError, reasonOf } from "../cli-error.ts";
import { type Context, callOptions } from "../context.ts";
import { imageTable } from "../image-table.ts";
import { DISK_FORMATS, type FormatWord, OS_FAMILIES, type OsWord } from "../image-words.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";

type Options = {
  readonly disk: string;
  readonly diskSha256?: string;
  readonly diskSize?: number;
  readonly format?: FormatWord;
  readonly kernel?: string;
  readonly kernelSha256?: string;
  readonly kernelSize?: number;
  readonly initrd?: string;
  readonly initrdSha256?: string;
  readonly initrdSize?: number;
  readonly cmdline?: string;
  readonly os: OsWord;
};

const EXAMPLES = `
Examples:
  evm images add debian-12 --disk debian-12.qcow2
  evm images add micro --disk micro.raw --kernel vmlinuz --initrd initrd --cmdline "console=ttyS0"
  evm images add debian-12 --disk https://images.example.org/debian-12.qcow2 --disk-sha256 4f1c…`;

export function addAddImage(images: Command, run: Run): void {
  const command = images
    .command("add <image>")
    .summary("add an image to the catalog, or replace it")
    .description(
      "Adds an image to the catalog, or replaces it. Fleets keep the image that they were\n" +
        "applied with. A file must be found under the same path on every host that may need it;\n" +
        "what is at a URL is fetched by hosts and checked.",
    )
    .requiredOption("--disk <file>", "the disk of the image: a file or a URL");
  addProof(command, "disk")
    .addOption(
      new Option("--format <format>", "of the disk; found out where it is a file").choices(
        Object.keys(DISK_FORMATS),
      ),
    )
    .option("--kernel <file>", "boot this kernel instead of what is on the disk");
  addProof(command, "kernel").option("--initrd <file>", "for the kernel");
  addProof(command, "initrd")
    .option("--cmdline <text>", "for the kernel")
    .addOption(
      new Option("--os <family>", "of the guest")
        .choices(Object.keys(OS_FAMILIES))
        .default("linux"),
    )
    .addHelpText("after", EXAMPLES)
    .action(
      run(async (context, name: string, options: Options) => {
        const image = await describeImage(context, name, options);
        const method = ImageService.method.addImage;
        const reply = await context.client.unary(method, { image }, callOptions(context));
        const { terminal, isJson } = context;
        if (isJson) terminal.out(messageJson(AddImageResponseSchema, reply));
        else terminal.out(imageTable(terminal, reply.image === undefined ? [] : [reply.image]));
      }),
    );
}

const addProof = (command: Command, file: string): Command =>
  command
    .option(`--${file}-sha256 <digest>`, "needed where it is a URL")
    .option(`--${file}-size <bytes>`, "where it is a URL whose server does not say it", size);

async function describeImage(context: Context, name: string, options: Options) {
  const { disk, kernel, initrd, cmdline = "" } = options;
  if (kernel === undefined && (initrd !== undefined || cmdline !== "")) {
    throw new CliError("usage", "--initrd and --cmdline need --kernel");
  }
  const diskFormat = DISK_FORMATS[options.format ?? (await formatOf(disk))];
  const describe = (file: "disk" | "kernel" | "initrd", location: string): Promise<Artifact> =>
    describeArtifact(context, {
      option: `--${file}`,
      location,
      sha256: options[`${file}Sha256`],
      size: options[`${file}Size`],
    });
  return {
    name,
    osFamily: OS_FAMILIES[options.os],
    disk: await describe("disk", disk),
    diskFormat,
    ...(kernel === undefined
      ? {}
      : {
          kernelBoot: {
            kernel: await describe("kernel", kernel),
            ...(initrd === undefined ? {} : { initrd: await describe("initrd", initrd) }),
            cmdline,
          },
        }),
  };
}

async function formatOf(disk: string): Promise<FormatWord> {
  const path = localPath("--disk", disk);
  if (path === undefined) {
    const [, extension] = /\.(qcow2|raw)$/.exec(new URL(disk).pathname) ?? [];
    if (extension === "qcow2" || extension === "raw") return extension;
    throw new CliError("usage", `--disk: ${disk} does not tell its format: say --format`);
  }
  try {
    return await detectFormat(path);
  } catch (cause) {
    throw new CliError("usage", `--disk: ${path}: ${reasonOf(cause)}`, { cause });
  }
}

function size(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a number of bytes.");
}
