import type { IncomingMessage } from "node:http";
import { connectionOf, type Guard, type RefusedFirst } from "@firmshake/node";
import type { DecisionLog } from "../decisions.ts";
import type { FirstMessages } from "../libraries/library.ts";
import type { Routes } from "../pages/handler.ts";
import { ways } from "./all.ts";
import { type LiveWay, opened, type World } from "./way.ts";

/** All ways, and what servers have to know to serve them. */
export interface OpenedWays {
  readonly ways: readonly LiveWay[];
  /** By path, for one of the two servers. */
  readonly guardsOn: (listener: "plain" | "tls") => Readonly<Record<string, Guard>>;
  readonly firstMessages: FirstMessages | undefined;
  readonly routes: Routes;
}

export async function openWays(
  world: Omit<World, "onRefusedFirst">,
  log: DecisionLog,
): Promise<OpenedWays> {
  const queries = new WeakMap<object, string>();
  const onRefusedFirst = (refused: RefusedFirst): void =>
    log.recordFirst(refused, queries.get(refused.connection) ?? "");
  const live = await Promise.all(ways.map((way) => opened(way, { ...world, onRefusedFirst })));
  return {
    ways: live,
    guardsOn: (wanted) =>
      Object.fromEntries(
        live
          .filter(({ listener = "plain" }) => listener === wanted)
          .map(({ path, guard }) => [path, guard]),
      ),
    firstMessages: firstMessagesOf(live, (request) => {
      const [, query = ""] = (request.url ?? "").split("?");
      queries.set(connectionOf(request), query);
    }),
    routes: Object.assign({}, ...live.map(({ routes }) => routes)),
  };
}

function firstMessagesOf(
  live: readonly LiveWay[],
  remember: (request: IncomingMessage) => void,
): FirstMessages | undefined {
  for (const { path, authenticate } of live) {
    if (authenticate === undefined) continue;
    return {
      path,
      authenticate: async (socket, request) => {
        remember(request);
        return (await authenticate(socket, request)) !== undefined;
      },
    };
  }
  return undefined;
}
