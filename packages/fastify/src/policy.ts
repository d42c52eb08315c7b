import { ConfigError, type Guard, type GuardOptions, guard } from "@firmshake/node";
import type { FastifyInstance, FastifyRequest } from "fastify";

export const decidingHooks = ["onRequest", "preValidation", "preHandler"] as const;
/** The hook of the request's lifecycle in which a policy decides. */
export type DecidingHook = (typeof decidingHooks)[number];

/** What `config.firmshake` of a route takes: checks beside those of its scope, or a whole guard of its own, which decides as well. */
export type RoutePolicy = Guard | (Partial<GuardOptions> & { readonly hook?: DecidingHook });

/** What decides about a request: each of the guards must allow. */
export interface Policy {
  readonly guards: readonly Guard[];
  readonly hook: DecidingHook;
  /** What the first of the guards is made of, where there are checks. */
  readonly options: GuardOptions;
  /** Guards that were given whole. */
  readonly own: readonly Guard[];
}

const none: Policy = { guards: [], hook: "onRequest", options: { checks: [] }, own: [] };
const ofScope = Symbol("firmshake.policy");
const ofRoutes = new WeakMap<object, Policy>();

/** An instance's policy. Scopes inherit it as they inherit decorators. */
const policyOf = (scope: FastifyInstance & { readonly [ofScope]?: Policy }): Policy =>
  scope[ofScope] ?? none;

export function addPolicy(scope: FastifyInstance, given: RoutePolicy): void {
  const value = joined(policyOf(scope), given);
  Object.defineProperty(scope, ofScope, { value, configurable: true });
}

/** Joined when it is first asked for, since plugins may be loaded behind the routes that they are for. */
export function policyFor({ routeOptions: { config }, server }: FastifyRequest): Policy {
  if (config?.firmshake === undefined) return policyOf(server);
  const policy = ofRoutes.get(config) ?? joined(policyOf(server), config.firmshake);
  ofRoutes.set(config, policy);
  return policy;
}

/** Throws for a mistake in a route's policy when the route is declared. */
export const checkPolicy = (given: RoutePolicy): unknown => joined(none, given);

function joined(outer: Policy, given: RoutePolicy): Policy {
  if (typeof given === "object" && given !== null && !Array.isArray(given)) {
    if ("decide" in given) {
      return { ...outer, own: [...outer.own, given], guards: [...outer.guards, given] };
    }
    const { hook = outer.hook, checks = [], ...rest } = given;
    const options = { ...outer.options, ...rest, checks: [...outer.options.checks, ...checks] };
    const merged = options.checks.length > 0 ? [guard(options)] : [];
    if (decidingHooks.includes(hook)) {
      return { hook, options, own: outer.own, guards: [...merged, ...outer.own] };
    }
  }
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    `firmshake: a policy is a guard(...) or { checks: [...], hook: "${decidingHooks.join('" | "')}" }.`,
  );
}
