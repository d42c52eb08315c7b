import { express } from "./express.ts";
import { fastify } from "./fastify.ts";
import type { Framework } from "./framework.ts";
import { koa } from "./koa.ts";

export type FrameworkName = "express" | "koa" | "fastify";

/** Every framework that the playground runs on. */
export const frameworks: Readonly<Record<FrameworkName, Framework>> = { express, koa, fastify };
