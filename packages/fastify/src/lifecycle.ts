import type { UpgradeHandler } from "@firmshake/node";
import { handshakeOf, passGuards, walkInside, walkOf, walkThrough } from "@firmshake/node/adapter";
import type {
  FastifyInstance,
  FastifyReply,
  onRequestHookHandler as Hook,
  FastifyRequest as Request,
} from "fastify";
import { requests } from "./fastify-request.ts";
import { checkPolicy, decidingHooks, policyFor } from "./policy.ts";
import { isOnlyListener } from "./websocket-plugin.ts";

/**
 * Sends each upgrade through the lifecycle. Where `@fastify/websocket` alone is behind the gate, the lifecycle is the one that it starts
 * itself; else there is one for the decision, and the event is emitted after it.
 */
export function lifecycleHandler(instance: FastifyInstance): UpgradeHandler {
  const inside = walkInside();
  const through = walkThrough(({ request, response }) =>
    instance.routing(request, response as NonNullable<typeof response>),
  );
  return (upgrade) => (isOnlyListener(instance) ? inside : through)(upgrade);
}

/** The hooks that decide, and those that end a walk before a handler would answer. */
export function addHooks(instance: FastifyInstance): void {
  instance.addHook("onRequest", (request, reply, done) => {
    const walk = walkOf(request.raw);
    if (walk !== undefined) requests.put(request.raw, request);
    if (walk?.isInside) walk.adopt(reply.raw);
    done();
  });
  for (const hook of decidingHooks) instance.addHook(hook as "onRequest", decideIn(hook));
  instance.addHook("preHandler", (request, reply, done) => {
    if (request.is404) endWalk.call(instance, request, reply, done);
    else done();
  });
  instance.addHook("onRoute", (route) => {
    if (route.config?.firmshake !== undefined) checkPolicy(route.config.firmshake);
    route.preHandler = [route.preHandler ?? [], endWalk].flat();
  });
}

/** Ordinary requests are neither held nor handed over, and pass. */
const decideIn =
  (hook: string): Hook =>
  (request, reply, done) => {
    const { raw } = request;
    if (walkOf(raw) === undefined && handshakeOf(raw) === undefined) return done();
    const policy = policyFor(request);
    if (policy.hook !== hook) return done();
    passGuards(policy.guards, raw, {
      goOn: done,
      leave: () => leave(request, reply),
      fail: (error) => done(error as Error),
    });
  };

const endWalk: Hook = (request, reply, done) => {
  const walk = walkOf(request.raw);
  // Inside, whoever accepts ends the walk; but nobody accepts what is no route.
  if (walk === undefined || (walk.isInside && (walk.isAllowed || !request.is404))) return done();
  walk.end();
  leave(request, reply);
};

/** The gate answers, or hands over. */
function leave(request: Request, reply: FastifyReply): void {
  reply.hijack();
  const { code, status, reason } = walkOf(request.raw)?.refusal ?? {};
  if (code !== undefined) request.log.info({ code, status, reason }, "handshake refused");
}
