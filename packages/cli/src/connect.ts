import { GrpcClient } from "@evm/protocol";
import { credentials } from "@grpc/grpc-js";

/** A client of the cluster whose coordinators are at `addresses`, with commas between them. */
export const connect = (addresses: string, random: () => number): GrpcClient =>
  new GrpcClient({ addresses, credentials: credentials.createInsecure(), random });
