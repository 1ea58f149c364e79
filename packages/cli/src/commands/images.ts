import { ImageService, ListImagesResponseSchema } from "@evm/protocol";
import type { Command } from "commander";
import { CliError } from "../cli-error.ts";
import { callOptions } from "../context.ts";
import { imageTable } from "../image-table.ts";
import { listImages } from "../lists.ts";
import { messageJson } from "../output/json.ts";
import type { Run } from "../runner.ts";
import { unlessGone } from "../unless-gone.ts";
import { addAddImage } from "./images-add.ts";

export function addImages(program: Command, run: Run): void {
  const images = program
    .command("images")
    .summary("show and change the catalog of VM images")
    .description("The catalog of VM images, from which fleets take theirs by name.")
    .addHelpText("after", "\nExamples:\n  evm images\n  evm images add --help");
  images
    .command("list", { isDefault: true })
    .summary("show the catalog")
    .description("Shows every image, and which hosts have all its files, verified.")
    .addHelpText("after", "\nExamples:\n  evm images\n  evm images list --json")
    .action(
      run(async (context) => {
        const found = await listImages(context);
        const { terminal, isJson } = context;
        if (isJson) terminal.out(messageJson(ListImagesResponseSchema, { images: [...found] }));
        else terminal.out(imageTable(terminal, found));
      }),
    );
  addAddImage(images, run);
  images
    .command("remove <image>")
    .summary("remove an image from the catalog")
    .description("Removes an image that no fleet names. What hosts have of it stays there.")
    .addHelpText("after", "\nExample:\n  evm images remove debian-12")
    .action(
      run(async (context, name: string) => {
        const known = await listImages(context);
        if (!known.some(({ image }) => image?.name === name)) {
          throw new CliError("notFound", `image "${name}": there is none of this name`);
        }
        const method = ImageService.method.removeImage;
        await unlessGone(context.client.unary(method, { name }, callOptions(context)));
        context.terminal.out(context.isJson ? "{}\n" : `${name} removed\n`);
      }),
    );
}
