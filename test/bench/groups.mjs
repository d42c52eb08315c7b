const byHand = (label, options) => ({ label, contender: "ws by hand", options });
const firmshake = (label, options, goal) => ({ label, contender: "firmshake", options, goal });
const bare = { label: "bare ws", contender: "bare ws" };
/** The floor under another name: what it differs from 1.00 is noise. */
const bareAgain = { label: "bare ws, again", contender: "bare ws" };
const canned = (status) => ({
  label: `canned ${status}`,
  contender: "canned answer",
  options: { status },
});
const cannedAgain = (status) => ({ ...canned(status), label: `canned ${status}, again` });

/** Tokens that a round draws from, where they were seen before. */
export const seenTokens = 256;
const cache = 4_096;

const koaPeers = "koa-websocket + koa-jwt + koa-ratelimit";
const fastifyPeers = "@fastify/websocket + @fastify/jwt + @fastify/rate-limit";

const withToken = (algorithm, goal) => [
  bare,
  byHand("ws by hand, fast-jwt", { algorithm }),
  byHand("ws by hand, fast-jwt with cache", { algorithm, cache }),
  firmshake("Firmshake", { algorithm }),
  firmshake("Firmshake with cache", { algorithm, cache }, goal),
];

/**
 * What is compared, group by group; the first contender of each is the floor. `tokens` is `seen` (the same few in every round), `new`
 * (each once) or `forged`. A goal is the highest ratio to the floor, or to the contender that it names.
 */
export const groups = [
  {
    name: "accepted",
    title: "Accepted: origin, address, rate limit",
    status: "101",
    contenders: [bare, bareAgain, byHand("ws by hand"), firmshake("Firmshake", {}, { most: 1.1 })],
  },
  ...["HS256", "ES256"].flatMap((algorithm) => [
    {
      name: `seen-${algorithm.toLowerCase()}`,
      title: `Accepted: the same and a token seen before, ${algorithm}`,
      status: "101",
      tokens: { algorithm, from: "seen" },
      contenders: withToken(algorithm, algorithm === "HS256" ? { most: 1.1 } : undefined),
    },
    {
      name: `new-${algorithm.toLowerCase()}`,
      title: `Accepted: the same and a new token, ${algorithm}`,
      status: "101",
      tokens: { algorithm, from: "new" },
      contenders: withToken(algorithm),
    },
  ]),
  {
    // The goals are against the stack as its readmes write it, with the secret as a string.
    name: "express",
    title: "Accepted: the Express stack (origin, rate limit, token seen before, HS256)",
    status: "101",
    tokens: { algorithm: "HS256", from: "seen" },
    contenders: [
      bare,
      {
        label: "express-ws + express-jwt + express-rate-limit",
        contender: "express-ws",
        options: { algorithm: "HS256" },
      },
      {
        label: "the same, secret as KeyObject",
        contender: "express-ws",
        options: { algorithm: "HS256", keyObject: true },
      },
      {
        label: "@firmshake/express",
        contender: "firmshake express",
        options: { algorithm: "HS256" },
        goal: { most: 0.5, of: "express-ws + express-jwt + express-rate-limit" },
      },
      {
        label: "@firmshake/express with cache",
        contender: "firmshake express",
        options: { algorithm: "HS256", cache },
        goal: { most: 0.5, of: "express-ws + express-jwt + express-rate-limit" },
      },
    ],
  },
  {
    name: "koa",
    title: "Accepted: the Koa stack (origin, rate limit, token seen before, HS256)",
    status: "101",
    tokens: { algorithm: "HS256", from: "seen" },
    contenders: [
      bare,
      { label: koaPeers, contender: "koa-websocket", options: { algorithm: "HS256" } },
      {
        label: "@firmshake/koa",
        contender: "firmshake koa",
        options: { algorithm: "HS256" },
        goal: { most: 0.5, of: koaPeers },
      },
      {
        label: "@firmshake/koa with cache",
        contender: "firmshake koa",
        options: { algorithm: "HS256", cache },
        goal: { most: 0.5, of: koaPeers },
      },
    ],
  },
  {
    name: "fastify",
    title: "Accepted: the Fastify stack (origin, rate limit, token seen before, HS256)",
    status: "101",
    tokens: { algorithm: "HS256", from: "seen" },
    contenders: [
      bare,
      { label: fastifyPeers, contender: "@fastify/websocket", options: { algorithm: "HS256" } },
      {
        label: "the same, with its cache",
        contender: "@fastify/websocket",
        options: { algorithm: "HS256", cache },
      },
      {
        label: "@firmshake/fastify",
        contender: "firmshake fastify",
        options: { algorithm: "HS256" },
        goal: { most: 1, of: fastifyPeers },
      },
      {
        label: "@firmshake/fastify with cache",
        contender: "firmshake fastify",
        options: { algorithm: "HS256", cache },
        goal: { most: 1, of: fastifyPeers },
      },
    ],
  },
  {
    name: "origin",
    title: "Refused: a foreign origin",
    status: "403",
    isForeign: true,
    contenders: [
      canned(403),
      cannedAgain(403),
      byHand("ws by hand"),
      firmshake("Firmshake", {}, { most: 1.1 }),
    ],
  },
  {
    name: "limited",
    title: "Refused: over the rate limit",
    status: "429",
    isOverLimit: true,
    contenders: [
      canned(429),
      byHand("ws by hand", { limit: 1 }),
      firmshake("Firmshake", { limit: 1 }),
    ],
  },
  ...["HS256", "ES256"].map((algorithm) => ({
    name: `forged-${algorithm.toLowerCase()}`,
    title: `Refused: a forged token, ${algorithm}`,
    status: "401",
    tokens: { algorithm, from: "forged" },
    contenders: [
      canned(401),
      byHand("ws by hand, fast-jwt", { algorithm }),
      firmshake("Firmshake", { algorithm }),
    ],
  })),
];
