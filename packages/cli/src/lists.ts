/** Everything there is of a kind, whatever the number of pages. */
import {
  type CatalogImage,
  type Fleet,
  FleetService,
  type Host,
  HostService,
  ImageService,
  type Instance,
  InstanceService,
  type Phase,
} from "@evm/protocol";
import { allPages } from "./all-pages.ts";
import { type CallContext, callOptions } from "./context.ts";

export const listFleets = (context: CallContext): Promise<readonly Fleet[]> =>
  allPages(async (page) => {
    const { listFleets: method } = FleetService.method;
    const { fleets, nextPageToken } = await context.client.unary(
      method,
      page,
      callOptions(context),
    );
    return { items: fleets, nextPageToken };
  });

export type InstanceFilter = {
  readonly fleet?: string;
  readonly host?: string;
  readonly phases?: Phase[];
};

export const listInstances = (
  context: CallContext,
  filter: InstanceFilter,
): Promise<readonly Instance[]> =>
  allPages(async (page) => {
    const { listInstances: method } = InstanceService.method;
    const request = { ...filter, ...page };
    const reply = await context.client.unary(method, request, callOptions(context));
    return { items: reply.instances, nextPageToken: reply.nextPageToken };
  });

export const listHosts = (context: CallContext): Promise<readonly Host[]> =>
  allPages(async (page) => {
    const { listHosts: method } = HostService.method;
    const { hosts, nextPageToken } = await context.client.unary(method, page, callOptions(context));
    return { items: hosts, nextPageToken };
  });

export const listImages = (context: CallContext): Promise<readonly CatalogImage[]> =>
  allPages(async (page) => {
    const { listImages: method } = ImageService.method;
    const { images, nextPageToken } = await context.client.unary(
      method,
      page,
      callOptions(context),
    );
    return { items: images, nextPageToken };
  });
