import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { UpgradeHandler } from "../ruling.ts";
import { type Walk, walkInside, walkOf, walkThrough } from "./walk.ts";

/** How an application takes requests. */
export type Entry = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Sends each upgrade through an application's stack by the method that is its entry. Where the one listener behind the gate does so by
 * itself, the stack is walked only by its doing; else once for the decision, and the event is emitted after it.
 */
export function walkByEntry<Name extends string>(
  server: Pick<Server, "listeners">,
  app: Record<Name, Entry>,
  name: Name,
): UpgradeHandler {
  const enter: Entry = app[name].bind(app);
  const entersByItself = watchEntry(app, name);
  const inside = walkInside();
  const through = walkThrough(
    ({ request, response }: Walk) => enter(request, response as ServerResponse),
    // An answer on the way is a refusal: handlers do not come to answer.
    () => undefined,
  );
  return (upgrade) => {
    const [listener, ...others] = server.listeners("upgrade");
    const isAlone = upgrade.response === undefined && listener !== undefined && others.length === 0;
    return (isAlone && entersByItself(listener) ? inside : through)(upgrade);
  };
}

/** Tells which listeners call the entry, by calling them with a request of our own, which goes no further. */
function watchEntry<Name extends string>(
  app: Record<Name, Entry>,
  name: Name,
): (listener: object) => boolean {
  const known = new WeakMap<object, boolean>();
  const enter: Entry = app[name].bind(app);
  let probe: object | undefined;
  app[name] = (request, response) => {
    if (request === probe) {
      probe = undefined;
      return;
    }
    // Now, since what comes first in the stack may answer.
    walkOf(request)?.adopt(response);
    enter(request, response);
  };
  const callsIt = (listener: object): boolean => {
    // Nobody else is called with what he does not expect.
    if (!String(listener).includes(`.${name}(`)) return false;
    probe = { method: "GET", url: "/", httpVersionMajor: 1, httpVersionMinor: 1, headers: {} };
    const call = async (): Promise<unknown> =>
      Reflect.apply(listener as Entry, app, [probe, new PassThrough(), Buffer.alloc(0)]);
    call().catch(() => undefined);
    return probe === undefined;
  };
  return (listener) => {
    const before = known.get(listener);
    const isFound = before ?? callsIt(listener);
    if (before === undefined) known.set(listener, isFound);
    return isFound;
  };
}
