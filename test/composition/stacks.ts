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

const prefix = "session of the chat:";

export const inRedis = (client: () => RedisClient): readonly Stack[] => {
  const { forExpress, forKoa, forFastify } = storesOn(client);
  return stacksOn(client, {
    "Express, express-session in Redis, Passport": () => onExpress({ store: forExpress() }),
    "Koa, koa-session in Redis, koa-passport": () => onKoa({ store: forKoa() }),
    "Fastify, @fastify/session in Redis, ws": () => onFastify("ws", { store: forFastify() }),
    "Fastify, @fastify/session in Redis, @fastify/websocket": () =>
      onFastify("@fastify/websocket", { store: forFastify() }),
  });
};

/** Sessions that are written with every answer, whether there is something in them or not. */
export const writtenAlways = (client: () => RedisClient): readonly Stack[] => {
  const { forExpress, forKoa, forFastify } = storesOn(client);
  const always = { rolling: true, saveUninitialized: true };
  return stacksOn(client, {
    "Express, express-session": () => onExpress({ store: forExpress(), resave: true, ...always }),
    "Koa, koa-session": () => onKoa({ store: forKoa(), rolling: true }),
    "Fastify, @fastify/session, ws": () => onFastify("ws", { store: forFastify(), ...always }),
    "Fastify, @fastify/session, @fastify/websocket": () =>
      onFastify("@fastify/websocket", { store: forFastify(), ...always }),
  });
};

/** The seconds that each session in Redis has left, after they were all given so many. */
export async function secondsLeft(client: RedisClient, given?: number): Promise<readonly number[]> {
  const keys = await client.keys(`${prefix}*`);
  if (given !== undefined) for (const key of keys) await client.expire(key, given);
  return Promise.all(keys.map((key) => client.ttl(key)));
}

export const inCookies: readonly Stack[] = [
  { name: "Koa, koa-session in a signed cookie, koa-passport", make: () => ({ serve: onKoa({}) }) },
  {
    name: "Fastify, a token of @fastify/jwt in a cookie, @fastify/websocket",
    make: () => ({ serve: onFastifyWithTokens }),
  },
];

function stacksOn(
  client: () => RedisClient,
  serving: Readonly<Record<string, () => Serve>>,
): readonly Stack[] {
  const endSessions = async (): Promise<unknown> => client().del(await client().keys(`${prefix}*`));
  return Object.entries(serving).map(([name, serve]) => ({
    name,
    make: () => ({ serve: serve(), endSessions }),
  }));
}

function storesOn(client: () => RedisClient) {
  const forExpress = (): RedisStore => new RedisStore({ client: client(), prefix });
  return {
    forExpress,
    forFastify: () => forExpress() as unknown as SessionStore,
    forKoa: () => storeForKoa(client()),
  };
}

const storeForKoa = (client: RedisClient) => ({
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
