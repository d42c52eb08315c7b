import { MemoryStore as FastifyMemoryStore, type SessionStore } from "@fastify/session";
import { RedisStore } from "connect-redis";
import { MemoryStore } from "express-session";
import type { createClient } from "redis";
import type { Serve } from "./application.ts";
import { onExpress } from "./express.ts";
import { onFastify, onFastifyWithTokens } from "./fastify.ts";
import { onKoa } from "./koa.ts";

export type RedisClient = ReturnType<typeof createClient>;

/** A framework, its session, and where that is kept. */
export interface Stack {
  readonly name: string;
  readonly make: () => Made;
}

interface Made {
  readonly serve: Serve;
  /** Ends all sessions where they are kept, behind the application's back. Not there where the cookie itself is the session. */
  readonly endSessions?: () => Promise<unknown>;
}

export const inMemory: readonly Stack[] = [
  {
    name: "Express, express-session in memory, Passport",
    make: () => {
      const store = new MemoryStore();
      const endSessions = (): Promise<unknown> => new Promise((resolve) => store.clear(resolve));
      return { serve: onExpress({ store }), endSessions };
    },
  },
  {
    name: "Fastify, @fastify/session in memory, ws",
    make: () => {
      const sessions = new Map();
      const serve = onFastify("ws", { store: new FastifyMemoryStore(sessions) });
      return { serve, endSessions: async () => sessions.clear() };
    },
  },
];

export const inRedis = (client: () => RedisClient): readonly Stack[] => {
  const prefix = "session of the chat:";
  const endSessions = async (): Promise<unknown> => client().del(await client().keys(`${prefix}*`));
  const ofRedis = (): RedisStore => new RedisStore({ client: client(), prefix });
  const stacks: Readonly<Record<string, () => Serve>> = {
    "Express, express-session in Redis, Passport": () => onExpress({ store: ofRedis() }),
    "Koa, koa-session in Redis, koa-passport": () =>
      onKoa({ store: storeForKoa(client(), prefix) }),
    "Fastify, @fastify/session in Redis, ws": () =>
      onFastify("ws", { store: ofRedis() as unknown as SessionStore }),
    "Fastify, @fastify/session in Redis, @fastify/websocket": () =>
      onFastify("@fastify/websocket", { store: ofRedis() as unknown as SessionStore }),
  };
  return Object.entries(stacks).map(([name, serve]) => ({
    name,
    make: () => ({ serve: serve(), endSessions }),
  }));
};

export const inCookies: readonly Stack[] = [
  { name: "Koa, koa-session in a signed cookie, koa-passport", make: () => ({ serve: onKoa({}) }) },
  {
    name: "Fastify, a token of @fastify/jwt in a cookie, @fastify/websocket",
    make: () => ({ serve: onFastifyWithTokens }),
  },
];

/** Sessions that are written with every answer, whether there is something in them or not. */
export const writingAlways: readonly Stack[] = [
  {
    name: "Express, express-session",
    make: () => ({ serve: onExpress({ rolling: true, resave: true, saveUninitialized: true }) }),
  },
  { name: "Koa, koa-session", make: () => ({ serve: onKoa({ rolling: true, renew: true }) }) },
  ...(["ws", "@fastify/websocket"] as const).map((library) => ({
    name: `Fastify, @fastify/session, ${library}`,
    make: () => ({ serve: onFastify(library, { rolling: true, saveUninitialized: true }) }),
  })),
];

const storeForKoa = (client: RedisClient, prefix: string) => ({
  get: async (key: string): Promise<unknown> => {
    const text = await client.get(prefix + key);
    return text === null ? undefined : JSON.parse(text);
  },
  set: async (key: string, session: unknown, maxAgeMs: number): Promise<void> => {
    const expiration = { type: "PX", value: maxAgeMs } as const;
    await client.set(prefix + key, JSON.stringify(session), { expiration });
  },
  destroy: async (key: string): Promise<void> => {
    await client.del(prefix + key);
  },
});
