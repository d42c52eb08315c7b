import type { Guard } from "@firmshake/node";
import { guardsOf, oneOf, type PolicyPart, readPolicyPart } from "@firmshake/node/adapter";
import type { FastifyInstance, FastifyRequest } from "fastify";

const decidingHooks = ["onRequest", "preValidation", "preHandler"] as const;
/** The hook of the request's lifecycle in which a policy decides: behind the hooks that its checks depend on. */
export type DecidingHook = (typeof decidingHooks)[number];

/** What a registration or a route adds to the policy of what is around it. */
export interface PolicyOptions extends PolicyPart {
  /** Default `onRequest`. The whole policy is decided in the last hook that one of its parts names. */
  readonly hook?: DecidingHook;
}

/** What `config.firmshake` of a route takes. */
export type RoutePolicy = Guard | PolicyOptions;

/** What one registration or route has added. */
export type Layer = PolicyPart & { readonly hook: DecidingHook };

/** Under this name a route's `config` keeps the layer, where the plugin has seen the route. */
export const ofRoute: unique symbol = Symbol("firmshake.layer");
export type RouteConfig = { readonly [ofRoute]?: Layer | undefined };

/** What decides about a request: all guards must allow, in the hook of the layer that is the innermost of those with the last hook. */
type Policy = { readonly guards: readonly Guard[]; readonly decider: Layer | undefined };

const layersOf = new WeakMap<object, readonly Layer[]>();
const scopesOf = new WeakMap<object, readonly FastifyInstance[]>();
const policies = new WeakMap<object, Policy>();

/** @throws {@link ConfigError} for what is no policy. */
export const readLayer = (given: RoutePolicy): Layer => ({
  hook: "onRequest",
  ...readPolicyPart<PolicyOptions>("firmshake", given, { hook: oneOf(...decidingHooks) }),
});

export function putLayer(scope: FastifyInstance, layer: Layer): void {
  layersOf.set(scope, [...(layersOf.get(scope) ?? []), layer]);
  scopesOf.set(scope.server, [...(scopesOf.get(scope.server) ?? []), scope]);
}

/** Asked when all plugins are loaded: what stands around a scope may be registered behind it. */
export function policyOf(scope: FastifyInstance, route?: Layer): Policy {
  const known = policies.get(route ?? scope);
  if (known !== undefined) return known;
  const layers = [...layersAround(scope), route ?? []].flat();
  const last = Math.max(...layers.map(rankOf));
  const decider = layers.findLast((layer) => rankOf(layer) === last);
  const policy = { guards: guardsOf(layers), decider };
  policies.set(route ?? scope, policy);
  return policy;
}

/** @param path - As the client wrote it. */
export function policyFor({ routeOptions, server, is404 }: FastifyRequest, path: string): Policy {
  const { [ofRoute]: layer, firmshake } = routeOptions.config as typeof routeOptions.config &
    RouteConfig;
  const policy = policyOf(server, layer);
  // A route that was declared before the plugin was loaded has no hook in which its own policy would be decided.
  const isLost = is404 ? isClaimed(server, path) : layer === undefined && firmshake !== undefined;
  return isLost ? { ...policy, guards: [] } : policy;
}

/** Scopes inherit by their prototypes, as they inherit decorators. */
const layersAround = (scope: object | null): readonly Layer[] =>
  scope ? [...layersAround(Object.getPrototypeOf(scope)), ...(layersOf.get(scope) ?? [])] : [];

const rankOf = ({ hook }: Layer): number => decidingHooks.indexOf(hook);

/** A path without a route, below the prefix of a scope whose policy would not be asked there. */
const isClaimed = (server: FastifyInstance, path: string): boolean =>
  (scopesOf.get(server.server) ?? []).some(({ prefix }) => {
    const start = prefix.replace(/\/?([:*].*)?$/, "/").toLowerCase();
    return !server.prefix.startsWith(prefix) && `${path}/`.toLowerCase().startsWith(start);
  });
