import { driverContract } from "../contract.ts";
import { LibvirtWorld } from "./libvirt-world.testing.ts";

driverContract("the libvirt driver", () => LibvirtWorld.open());
