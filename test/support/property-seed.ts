/**
 * Properties are tried on the same cases in every run, so that a red run is about the change that
 * it tests. To look further: EVM_PROPERTY_SEED=$RANDOM npm test
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env["EVM_PROPERTY_SEED"] ?? 1) });
