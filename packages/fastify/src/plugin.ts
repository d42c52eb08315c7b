import {
  attach,
  ConfigError,
  type Connection,
  connectionOf,
  type Gate,
  type GateOptions,
} from "@firmshake/node";
import { handshakeOf, walkByEntry, warnOfUnusedTrust } from "@firmshake/node/adapter";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { fastifyPlugin } from "fastify-plugin";
import { addLayer, addRootHooks } from "./lifecycle.ts";
import { type PolicyOptions, type RoutePolicy, readLayer } from "./policy.ts";

/** The policy of the instance that the plugin is registered in, and the gate's options, which belong to the first registration. */
export interface FirmshakeOptions extends GateOptions, PolicyOptions {}

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

const guarded = new WeakSet<FastifyInstance>();

async function register(instance: FastifyInstance, given: FirmshakeOptions): Promise<void> {
  const { guard, hook = "onRequest", checks, mode, label, order, ...options } = given;
  const root = rootOf(instance);
  if (!guarded.has(root)) openGate(root, options);
  else if (Object.keys(options).length > 0)
    throw new ConfigError(
      "ERR_FIRMSHAKE_OPTIONS_CONTRADICT",
      `firmshake: "${Object.keys(options).join('", "')}" belongs to the first registration, which has opened the gate.`,
    );
  addLayer(instance, readLayer({ guard, hook, checks, mode, label, order } as PolicyOptions));
}

/** A server has one gate, wherever the plugin is registered: scopes are made of the instance around them. */
function rootOf(instance: FastifyInstance): FastifyInstance {
  const outer: object = Object.getPrototypeOf(instance);
  return "register" in outer ? rootOf(outer as FastifyInstance) : instance;
}

function openGate(root: FastifyInstance, options: GateOptions): void {
  const gate = attach(root.server, walkByEntry(root.server, root, "routing"), options);
  guarded.add(root);
  root.decorate("firmshake", gate);
  root.decorateRequest("firmshake", {
    getter(): Connection | undefined {
      return handshakeOf(this.raw) && connectionOf(this.raw);
    },
  });
  addRootHooks(root, () => {
    if (options.trustProxy === undefined) warnOfUnusedTrust('"trustProxy"');
  });
  root.addHook("preClose", async () => void (await gate.drain()));
}
