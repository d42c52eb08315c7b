import { askBeforeAccepting, handshakeOf, passGuards, walkOf } from "@firmshake/node/adapter";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { requests } from "./fastify-request.ts";
import { type Layer, ofRoute, policyFor, policyOf, putLayer, readLayer } from "./policy.ts";

type Hook = Extract<RouteOptions["preHandler"], CallableFunction>;
const unrouted = new WeakSet<object>();

/** What sees every upgrade of the server, whatever scope it is for. */
export function addRootHooks(root: FastifyInstance, onOwnTrust: () => void): void {
  let isFirst = true;
  root.addHook("onRequest", (request, reply, done) => {
    const walk = walkOf(request.raw);
    if (walk === undefined) return done();
    requests.put(request.raw, request);
    // Fastify tells by nothing else that its own trustProxy is set.
    if (isFirst && "ips" in request) onOwnTrust();
    isFirst = false;
    if (request.is404) unrouted.add(request);
    const { websocketServer } = request.server as Partial<Decorated>;
    if (walk.isInside && websocketServer) askBeforeAccepting(websocketServer, requests.of);
    const isSeen = request.is404 || ofRoute in request.routeOptions.config;
    if (!isSeen) request.log.warn(unseen);
    const { guards } = policyFor(request, walk.handshake.path);
    if (guards.length > 0 && (isSeen || walk.isInside)) return done();
    walk.end();
    leave(request, reply);
  });
}

/** Of `@fastify/websocket`, on instances that it is registered for. */
interface Decorated {
  readonly websocketServer: Parameters<typeof askBeforeAccepting>[0];
}

const unseen =
  "firmshake: this route was declared before the plugin was loaded; await its registration";

/** Adds to the policy of an instance, behind the hooks that are there. */
export function addLayer(instance: FastifyInstance, layer: Layer): void {
  putLayer(instance, layer);
  instance.addHook(layer.hook as "onRequest", decideFor(layer));
  instance.addHook("preHandler", endUnrouted);
  instance.addHook("onRoute", onRoute);
  instance.addHook("onReady", async () => void policyOf(instance));
}

function onRoute(this: FastifyInstance, route: RouteOptions): void {
  if (ofRoute in Object(route.config)) return;
  const given = route.config?.firmshake;
  const layer = given === undefined ? undefined : readLayer(given);
  route.config = Object.assign({}, route.config, { [ofRoute]: layer });
  if (layer !== undefined) {
    route[layer.hook] = [route[layer.hook] ?? [], decideFor(layer)].flat() as Hook[];
    this.addHook("onReady", async () => void policyOf(this, layer));
  }
  const { handler } = route;
  // `@fastify/websocket` makes a handler of its own for these, and may do so behind us.
  if ("websocket" in route) route.preHandler = [route.preHandler ?? [], endWalk].flat();
  route.handler = function (request, reply) {
    return endsWalk(request, reply) ? undefined : handler.call(this, request, reply);
  };
}

/** Ordinary requests are neither held nor handed over, and pass. */
const decideFor =
  (layer: Layer): Hook =>
  (request, reply, done) => {
    const { raw } = request;
    const handshake = walkOf(raw)?.handshake ?? handshakeOf(raw);
    if (handshake === undefined) return done();
    const { decider, guards } = policyFor(request, handshake.path);
    if (decider !== layer) return done();
    const fail = done as (error: unknown) => void;
    passGuards(guards, raw, { goOn: done, leave: () => leave(request, reply), fail });
  };

/** Behind all hooks. Inside, whoever accepts ends the walk. */
function endsWalk(request: FastifyRequest, reply: FastifyReply): boolean {
  const walk = walkOf(request.raw);
  if (walk === undefined || walk.isInside) return false;
  walk.end();
  leave(request, reply);
  return true;
}

const endWalk: Hook = (request, reply, done) => void (endsWalk(request, reply) || done());

/** What has no route at all. What a hook calls not found is answered with that. */
const endUnrouted: Hook = (request, reply, done) => {
  const isEnd = unrouted.has(request) && walkOf(request.raw)?.isAllowed;
  if (!isEnd || !endsWalk(request, reply)) done();
};

/** The gate answers, or hands over. */
function leave(request: FastifyRequest, reply: FastifyReply): void {
  reply.hijack();
  const { code, status, reason } = walkOf(request.raw)?.refusal ?? {};
  if (code !== undefined) request.log.info({ code, status, reason }, "handshake refused");
}
