import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { sentenceOf, UsageError } from "./usage-error.ts";

/** As much of a guard of `@firmshake/core` as is needed here: the user's copy may be another than this package's. */
export interface FoundGuard {
  /** Where it was found: `chat`, or `routes["/chat"]`. */
  readonly name: string;
  /** The path under which a routes object has it. */
  readonly path?: string;
  readonly guard: GuardLike;
}

export interface GuardLike {
  readonly decide: (handshake: unknown) => unknown;
  readonly explain: () => string;
  readonly mode?: string;
  readonly label?: string;
}

/**
 * Loads a module of the user, of either kind, and finds its guards: exported ones, those in exported objects by path, and those in lists.
 *
 * @throws {@link UsageError} where it cannot be loaded or has none.
 */
export async function loadGuards(file: string): Promise<readonly FoundGuard[]> {
  const exported = await load(file);
  const guards = Object.entries(exported).flatMap(([name, value]) => [
    ...guardsIn(name, value),
    // What CommonJS exports is the default export too.
    ...(name === "default" && isObject(value)
      ? Object.entries(value).flatMap(([inner, one]) => guardsIn(inner, one))
      : []),
  ]);
  const found = guards.filter(
    ({ guard }, index) => guards.findIndex((one) => one.guard === guard) === index,
  );
  if (found.length === 0) {
    throw new UsageError(
      `${file} exports no guard. Export it, or an object of paths and guards: export const chat = guard(origin([…])).`,
    );
  }
  return found;
}

/** What `@firmshake/core` has to make a handshake with. */
export interface UserCore {
  readonly handshakeFrom: (
    request: { method: string; url: string; headers: [string, string][] },
    options: { peerAddress: string },
  ) => unknown;
}

const entrances = ["core", "node", "express", "koa", "fastify"].map((name) => `@firmshake/${name}`);

/** The copy that the user's module has its guards from; each of the packages gives on all of core. */
export async function coreOf(file: string): Promise<UserCore> {
  const { resolve: find } = createRequire(resolve(file));
  for (const entrance of entrances) {
    let path: string;
    try {
      path = find(entrance);
    } catch {
      continue;
    }
    return (await import(pathToFileURL(path).href)) as UserCore;
  }
  throw new UsageError(
    `None of ${entrances.join(", ")} is installed where ${file} is. Install what it imports there.`,
  );
}

async function load(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new UsageError(`${file} cannot be loaded: ${sentenceOf(error)}${hintFor(file, error)}`);
  }
}

function hintFor(file: string, error: unknown): string {
  const { code } = error as { readonly code?: unknown };
  return /\.[cm]?tsx?$/.test(file) && code === "ERR_UNKNOWN_FILE_EXTENSION"
    ? " This Node runs no TypeScript: name the compiled file, or use Node 22.18 or newer."
    : "";
}

function guardsIn(name: string, value: unknown): readonly FoundGuard[] {
  if (isGuard(value)) return [{ name, guard: value }];
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, one]) => {
    if (!isGuard(one)) return [];
    const isPath = key.startsWith("/");
    return isPath || Array.isArray(value)
      ? [
          {
            name: `${name}[${isPath ? JSON.stringify(key) : key}]`,
            guard: one,
            ...(isPath ? { path: key } : {}),
          },
        ]
      : [];
  });
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** Those of the adapters are middleware with the same two methods. */
function isGuard(value: unknown): value is GuardLike {
  if (!isObject(value) && typeof value !== "function") return false;
  const { decide, explain } = value as { readonly decide?: unknown; readonly explain?: unknown };
  return typeof decide === "function" && typeof explain === "function";
}
