import { ConfigError, type Guard, type PathPattern, refuse } from "@firmshake/core";
import { compilePath, isPromiseLike } from "@firmshake/core/gate";
import { rulingOf, type UpgradeHandler } from "./ruling.ts";

/** A guard for each path. The first that matches decides; paths that match none are refused. */
export type Routes = { readonly [pattern: PathPattern]: Guard };

/**
 * Compiles routes. Whole paths come before prefixes, long prefixes before short ones, whatever the order in which they were written.
 *
 * @throws {@link ConfigError} `ERR_FIRMSHAKE_ROUTE_INVALID`
 */
export function routesHandler(routes: Routes): UpgradeHandler {
  const entries = readRoutes(routes);
  return ({ handshake }) => {
    const { path } = handshake;
    const found = entries.find(({ matches }) => matches(path));
    if (found === undefined) return noRoute;
    const verdict = found.guard.decide(handshake);
    return isPromiseLike(verdict) ? verdict.then(rulingOf) : rulingOf(verdict);
  };
}

const noRoute = {
  outcome: "refused",
  refusal: refuse("not_found", undefined, { reason: "no guard on the path" }),
  trail: [],
} as const;

export function explainRoutes(routes: Routes): string {
  return Object.entries(routes)
    .map(([pattern, guard]) => `${pattern}\n${guard.explain()}`)
    .join("\n\n");
}

function readRoutes(
  routes: Routes,
): readonly { readonly matches: (path: string) => boolean; readonly guard: Guard }[] {
  const patterns = Object.keys(routes) as PathPattern[];
  if (patterns.length === 0) {
    throw new ConfigError(
      "ERR_FIRMSHAKE_ROUTE_INVALID",
      `attach: there is no route, so every upgrade would be refused. Write { "/chat": guard(...) }.`,
    );
  }
  const isPrefix = (pattern: string): number => Number(pattern.endsWith("/*"));
  const sorted = patterns.toSorted(
    (left, right) => isPrefix(left) - isPrefix(right) || right.length - left.length,
  );
  return sorted.map((pattern) => {
    const guard = routes[pattern];
    if (typeof guard?.decide !== "function") {
      throw new ConfigError(
        "ERR_FIRMSHAKE_ROUTE_INVALID",
        `attach: "${pattern}" must be a guard(...).`,
      );
    }
    return { matches: compilePath("attach", pattern), guard };
  });
}
