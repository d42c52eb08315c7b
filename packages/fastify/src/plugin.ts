import {
  attach,
  ConfigError,
  type Connection,
  connectionOf,
  type Gate,
  type GateOptions,
  type Guard,
  type GuardOptions,
} from "@firmshake/node";
import { handshakeOf } from "@firmshake/node/adapter";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { fastifyPlugin } from "fastify-plugin";
import { addHooks, lifecycleHandler } from "./lifecycle.ts";
import { addPolicy, type DecidingHook, type RoutePolicy } from "./policy.ts";
import { lookForPlugin } from "./websocket-plugin.ts";

/** The policy of the instance that the plugin is registered in, and the gate's options, which belong to the first registration. */
export interface FirmshakeOptions extends GateOptions, Partial<GuardOptions> {
  /** A whole guard, instead of `checks`. */
  readonly guard?: Guard;
  /** In which hook the policy decides: behind the hooks that it depends on. Default `onRequest`. */
  readonly hook?: DecidingHook;
}

declare module "fastify" {
  interface FastifyInstance {
    /** The gate in front of the server's WebSocket libraries. */
    readonly firmshake: Gate;
  }
  interface FastifyRequest {
    /** What the gate knows of the WebSocket that came with this request; undefined for other requests. */
    readonly firmshake: Connection | undefined;
  }
  interface FastifyContextConfig {
    readonly firmshake?: RoutePolicy;
  }
}

/**
 * Puts a gate in front of every WebSocket library on the instance's server. Upgrades run through the lifecycle of requests, so that what
 * hooks find out is there for the checks. Registered again in a scope it adds to the policy of that scope; a route adds to it by
 * `config.firmshake`. Paths without a policy are refused.
 *
 * @throws {@link ConfigError} for a policy or options that are not as described.
 *
 * @example
 * ```ts
 * import { firmshake, origin } from "@firmshake/fastify";
 * import fastify from "fastify";
 *
 * const app = fastify();
 * await app.register(firmshake, { checks: [origin(["https://app.example.com"])] });
 * await app.ready();
 * console.log(app.firmshake.pending); // 0
 * await app.close();
 * ```
 */
export const firmshake: FastifyPluginAsync<FirmshakeOptions> = fastifyPlugin(register, {
  name: "@firmshake/fastify",
  fastify: "5.x",
});

async function register(instance: FastifyInstance, given: FirmshakeOptions): Promise<void> {
  const { guard, hook, checks, mode, label, order, ...options } = given;
  if (!instance.hasDecorator("firmshake")) openGate(instance, options);
  else if (Object.keys(options).length > 0)
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `firmshake: "${Object.keys(options).join('", "')}" belongs to the first registration, which has opened the gate.`,
    );
  if (guard !== undefined) addPolicy(instance, guard);
  const policy = Object.entries({ hook, checks, mode, label, order });
  addPolicy(instance, Object.fromEntries(policy.filter(([, value]) => value !== undefined)));
}

function openGate(instance: FastifyInstance, options: GateOptions): void {
  const gate = attach(instance.server, lifecycleHandler(instance), options);
  instance.decorate("firmshake", gate);
  instance.decorateRequest("firmshake", {
    getter(): Connection | undefined {
      return handshakeOf(this.raw) && connectionOf(this.raw);
    },
  });
  addHooks(instance);
  instance.addHook("onReady", async () => lookForPlugin(instance));
  instance.addHook("preClose", async () => gate.close());
}
