import type { MaybePromise } from "@firmshake/core";
import { isPromiseLike } from "@firmshake/core/gate";

/**
 * The parts of the Standard Schema interface that are used; zod, valibot, arktype and others have it.
 *
 * @see https://standardschema.dev, version 1
 */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => MaybePromise<StandardResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a Standard Schema answers: without issues, the value is what it says. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One of the reasons against a value. */
export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** A compiled schema that is a function, as `ajv.compile()` makes it. True alone is a yes. */
export type CompiledFunction = (value: unknown) => MaybePromise<boolean>;

/** A compiled schema of typebox (`TypeCompiler.Compile()`). */
export interface CompiledCheck {
  readonly Check: (value: unknown) => boolean;
}

/** What says whether the data of a message is right. */
export type Schema = StandardSchema | CompiledFunction | CompiledCheck;

/** What is known of data that a schema has let through; `unknown` where the function is no type predicate. */
export type DataOf<S> =
  S extends StandardSchema<infer Output>
    ? Output
    : S extends (value: unknown) => value is infer Output
      ? Output
      : S extends { Check: (value: unknown) => value is infer Output }
        ? Output
        : unknown;

/** Data that is right, as the schema has made it, or where it is wrong. */
export type Checked = { readonly value: unknown } | { readonly paths: () => readonly string[] };

/** One way to ask any of them; undefined for what is no schema. */
export function validatorOf(
  schema: unknown,
): ((value: unknown) => MaybePromise<Checked>) | undefined {
  const given = Object(schema) as Partial<StandardSchema & CompiledCheck>;
  const standard = given["~standard"];
  if (typeof standard?.validate === "function") {
    return (value) => {
      const result = standard.validate(value);
      return isPromiseLike(result) ? taken(result).then(fromStandard) : fromStandard(result);
    };
  }
  if (typeof given.Check === "function") {
    const compiled = given as CompiledCheck;
    return (value) => (compiled.Check(value) === true ? { value } : unexplained);
  }
  if (typeof schema !== "function") return undefined;
  const compiled = schema as CompiledFunction;
  const from = (isValid: unknown, value: unknown): Checked =>
    isValid === true ? { value } : explainedBy(compiled);
  return (value) => {
    const isValid = compiled(value);
    return isPromiseLike(isValid)
      ? taken(isValid).then((settled) => from(settled, value))
      : from(isValid, value);
  };
}

/** Into a promise of our own: a foreign `then` may throw. */
const taken = <Value>(promise: PromiseLike<Value>): Promise<Value> =>
  new Promise((adopt) => adopt(promise));

/** Fails closed: what is neither a value nor a list of issues is no yes. */
function fromStandard(result: StandardResult<unknown>): Checked {
  if (result.issues === undefined && "value" in result) return result;
  return { paths: () => (result.issues ?? []).slice(0, maxPaths).map(pathOf) };
}

const unexplained: Checked = Object.freeze({ paths: () => [] });

/** ajv leaves its errors on the function until it is called again. */
function explainedBy(compiled: object): Checked {
  const { errors } = compiled as { readonly errors?: unknown };
  if (!Array.isArray(errors)) return unexplained;
  const found = errors.slice(0, maxPaths) as readonly { readonly instancePath?: unknown }[];
  return { paths: () => found.map(({ instancePath }) => bounded(String(instancePath ?? ""))) };
}

const maxPaths = 5;
const maxPathLength = 100;

/** RFC 6901, a JSON Pointer. */
const pathOf = ({ path = [] }: StandardIssue): string =>
  bounded(
    path
      .map((segment) => String(typeof segment === "object" ? segment.key : segment))
      .map((segment) => `/${segment.replaceAll("~", "~0").replaceAll("/", "~1")}`)
      .join(""),
  );

const bounded = (path: string): string => path.slice(0, maxPathLength);
