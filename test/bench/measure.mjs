import { startChild } from "./child.mjs";
import { seenTokens } from "./groups.mjs";
import { handshakeBytes, makeToken, site } from "./requests.mjs";

const concurrency = 32;
const perRound = 500;
const warmUpMs = 2_000;
/** All of loopback is at hand on Linux, so that limits by address have more than one key. */
const addresses =
  process.platform === "linux"
    ? Array.from({ length: 200 }, (_, index) => `127.0.1.${index + 1}`)
    : ["127.0.0.1"];

/**
 * Runs one group: every contender in a process of its own, all of them alive at once, one of them working at a time. Rounds go there and
 * back (A B C, C B A, B C A, A C B), so that what drifts on the machine meets all alike.
 *
 * @returns for each contender the CPU time a handshake took, in microseconds, round by round.
 */
export async function measureGroup(group, { keys, cores, load, endsAt, profileTo }) {
  const seen = Array.from({ length: seenTokens }, () => tokenFor(group, keys));
  const requests = (count) =>
    Array.from({ length: count }, (_, index) => requestFor(group, keys, seen[index % seenTokens]));
  const servers = [];
  try {
    for (const entry of group.contenders)
      servers.push(await startServer(entry, keys, cores, profileTo));
    for (const server of servers) await warmUp(server, load, group, requests);
    for (let count = 0; count < 2 || performance.now() < endsAt; count++) {
      for (const server of orderOf(servers, count)) {
        const perHandshake = await round(server, load, group, requests(perRound), true);
        server.rounds.push(perHandshake);
      }
    }
  } finally {
    await Promise.all(servers.map(({ child }) => child.stop()));
  }
  return servers.map(({ entry, rounds }) => ({ ...entry, rounds }));
}

/** There and back, and each time another one is first: the first and the last of a round have it a little harder. */
export function orderOf(servers, count) {
  const first = (count >> 1) % servers.length;
  const order = [...servers.slice(first), ...servers.slice(0, first)];
  return count % 2 === 0 ? order : order.toReversed();
}

async function startServer(entry, keys, { serverCore }, profileTo) {
  const profiling = profileTo === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileTo}`];
  const child = startChild("./server-process.mjs", serverCore, profiling);
  const { contender, options = {} } = entry;
  const { port } = await child.ask("start", { contender, options, keys: keys.forServers });
  return { entry, child, port, rounds: [] };
}

/** Code is compiled over thousands of handshakes, and the more of it there is the longer it takes. */
async function warmUp(server, load, group, requests) {
  const end = performance.now() + warmUpMs;
  do await round(server, load, group, requests(perRound), !group.isOverLimit);
  while (performance.now() < end);
}

/** Accepted connections are closed, and refused ones gone, before the next round begins. */
async function round({ entry, child, port }, load, group, requests, isStrict) {
  await child.ask("begin");
  const { statuses } = await load.ask("shoot", { port, requests, concurrency, addresses });
  const accepted = statuses["101"] ?? 0;
  const { microseconds } = await child.ask("end", { accepted, open: accepted });
  if (isStrict && statuses[group.status] !== requests.length) {
    throw new Error(
      `${group.name}, ${entry.label}: expected ${group.status}, got ${JSON.stringify(statuses)}.`,
    );
  }
  await load.ask("release");
  await child.ask("idle");
  return microseconds / requests.length;
}

function tokenFor({ tokens }, keys) {
  return tokens && makeToken(keys, tokens.algorithm, tokens.from === "forged");
}

function requestFor(group, keys, seenToken) {
  const token = group.tokens?.from === "seen" ? seenToken : tokenFor(group, keys);
  return handshakeBytes(group.isForeign ? site.foreignOrigin : site.origin, token);
}

export const startLoad = ({ loadCore }) => startChild("./load-process.mjs", loadCore);
