/** Notes that stand on other people's objects, found by nobody else. */
export interface Stamp<Value> {
  readonly of: (object: unknown) => Value | undefined;
  readonly put: (object: object, value: Value) => void;
}

/**
 * Does what a `WeakMap` does by private fields of the objects themselves. For each of thousands of connections a map costs more: to grow,
 * and whenever the garbage collector walks it.
 */
export function makeStamp<Value>(): Stamp<Value> {
  class Stamped extends Itself {
    #value: Value;

    private constructor(object: object, value: Value) {
      super(object);
      this.#value = value;
    }

    static of(object: unknown): Value | undefined {
      return isObject(object) && #value in object ? object.#value : undefined;
    }

    static put(object: object, value: Value): void {
      if (#value in object) object.#value = value;
      else new Stamped(object, value);
    }
  }
  return { of: Stamped.of, put: Stamped.put };
}

/** Its subclasses put their private fields on the object that is given. */
class Itself {
  constructor(object: object) {
    // biome-ignore lint/correctness/noConstructorReturn: this is what the class is for.
    return object;
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
