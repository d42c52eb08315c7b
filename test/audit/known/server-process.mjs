/** One of the servers in a process of its own, since some die: `node server-process.mjs NAME [--gate]`. Says how to reach it. */
import { attach, guard, host, maxConnections, origin, rateLimit } from "@firmshake/node";
import { servers } from "./servers.mjs";

const [, , name, flag] = process.argv;
const { start } = servers[name];
const { server, url, options, stop } = await start();
if (flag === "--gate") {
  const { pathname } = new URL(url);
  const pages = [origin([options.origin]), host(["127.0.0.1"])];
  const limits = [rateLimit({ limit: 40, windowMs: 2_000 }), maxConnections({ perAddress: 20 })];
  attach(server, { [pathname]: guard(...pages, ...limits) });
}
process.once("SIGTERM", async () => {
  await stop?.();
  process.exit();
});
process.send({ url, options });
