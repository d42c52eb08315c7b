import { crossws } from "./crossws.ts";
import { expressWsLibrary } from "./express-ws.ts";
import { fastify } from "./fastify-websocket.ts";
import { faye } from "./faye-websocket.ts";
import { graphqlWs } from "./graphql-ws.ts";
import { hocuspocus } from "./hocuspocus.ts";
import { hono } from "./hono-node-ws.ts";
import { httpProxy } from "./http-proxy-3.ts";
import { koaEasyWsLibrary } from "./koa-easy-ws.ts";
import { koaWebsocketLibrary } from "./koa-websocket.ts";
import type { Library } from "./library.ts";
import { nestSocketIo, nestWs } from "./nest.ts";
import { socketIo, socketIoPolling } from "./socket-io.ts";
import { sockJs } from "./sockjs.ts";
import { websocketLibrary } from "./websocket.ts";
import { wsWithoutServer, wsWithServer } from "./ws.ts";

/** In the order of the table's rows. */
export const libraries: readonly Library[] = [
  wsWithServer,
  wsWithoutServer,
  socketIo,
  socketIoPolling,
  fastify,
  expressWsLibrary,
  koaWebsocketLibrary,
  koaEasyWsLibrary,
  graphqlWs,
  hono,
  crossws,
  websocketLibrary,
  faye,
  sockJs,
  httpProxy,
  hocuspocus,
  nestWs,
  nestSocketIo,
];
