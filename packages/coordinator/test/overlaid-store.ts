import type { CoordinatorStore } from "@evm/store";

/** `inner` with some methods replaced: for a view that trails, or an answer that gets lost. */
export const overlaid = (
  inner: CoordinatorStore,
  overrides: Partial<CoordinatorStore>,
): CoordinatorStore =>
  new Proxy(inner, {
    get(target, name) {
      const found = Reflect.get(Object.hasOwn(overrides, name) ? overrides : target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
