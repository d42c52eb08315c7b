/** Freezes a value of JSON whole: what is shared by connections, whoever could change it would change it for all of them. */
export function deepFrozen<Value extends object>(value: Value): Value {
  for (const inner of Object.values(value)) {
    if (typeof inner === "object" && inner !== null) deepFrozen(inner);
  }
  return Object.freeze(value);
}
