/** One of the servers in a process of its own, since some die: `node server-process.mjs NAME [--gate]`. Says how to reach it. */
import { attach, guard, host, origin, rateLimit } from "@firmshake/node";
import { servers } from "./servers.mjs";

const [, , name, flag] = process.argv;
const { start } = servers[name];
const { server, url, options } = await start();
if (flag === "--gate") {
  const { pathname } = new URL(url);
  const limit = rateLimit({ limit: 40, windowMs: 2_000 });
  attach(server, { [pathname]: guard(origin([options.origin]), host(["127.0.0.1"]), limit) });
}
process.send({ url, options });
