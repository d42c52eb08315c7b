/** Identities are remembered and shared: whoever could change a claim would change it for every connection of the token. */
export function deepFrozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFrozen(inner);
  }
  return Object.freeze(value);
}
