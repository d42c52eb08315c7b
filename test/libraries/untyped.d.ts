declare module "koa-websocket" {
  import type { IncomingMessage, Server } from "node:http";
  import type Koa from "koa";
  import type { WebSocket } from "ws";

  function koaWebsocket(app: Koa): Koa & {
    readonly ws: {
      use(
        middleware: (context: {
          readonly websocket: WebSocket;
          readonly req: IncomingMessage;
        }) => void,
      ): void;
      listen(options: { readonly server: Server }): void;
    };
  };

  export = koaWebsocket;
}

declare module "koa-easy-ws" {
  import type { Middleware } from "koa";
  import type { WebSocket } from "ws";

  function koaEasyWs(): Middleware;

  namespace koaEasyWs {
    interface Upgradable {
      readonly ws?: () => Promise<WebSocket>;
    }
  }

  export = koaEasyWs;
}

declare module "websocket" {
  import type { IncomingMessage, Server } from "node:http";

  interface Connection {
    on(event: "message", listener: (message: { readonly utf8Data?: string }) => void): void;
    on(event: "close", listener: (code: number) => void): void;
    sendUTF(text: string): void;
    close(code: number, reason: string): void;
  }

  class WebSocketServer {
    constructor(options: { readonly httpServer: Server });
    on(
      event: "request",
      listener: (request: {
        readonly httpRequest: IncomingMessage;
        readonly resource: string;
        readonly origin: string;
        readonly requestedProtocols: readonly string[];
        accept(protocol: string | null, origin: string): Connection;
      }) => void,
    ): void;
    shutDown(): void;
  }

  class W3CWebSocket {
    constructor(url: string);
    send(text: string): void;
    close(code?: number): void;
    onopen: unknown;
    onmessage: unknown;
    onerror: unknown;
    onclose: unknown;
  }

  const websocket: {
    readonly server: typeof WebSocketServer;
    readonly w3cwebsocket: typeof W3CWebSocket;
  };

  export = websocket;
}

declare module "faye-websocket" {
  import type { IncomingMessage } from "node:http";
  import type { Duplex } from "node:stream";

  class FayeWebSocket {
    static isWebSocket(request: IncomingMessage): boolean;
    constructor(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      protocols: readonly string[],
    );
    send(text: string): void;
    close(code: number, reason: string): void;
    onopen: () => void;
    onmessage: (event: { readonly data: string }) => void;
    onclose: (event: { readonly code: number }) => void;
  }

  namespace FayeWebSocket {
    class Client {
      constructor(url: string);
      send(text: string): void;
      close(code?: number): void;
      onopen: unknown;
      onmessage: unknown;
      onerror: unknown;
      onclose: unknown;
    }
  }

  export = FayeWebSocket;
}

declare module "sockjs" {
  import type { Server } from "node:http";

  interface Connection {
    on(event: "data", listener: (text: string) => void): void;
    on(event: "close", listener: () => void): void;
    write(text: string): void;
    close(code: number, reason: string): void;
  }

  const sockjs: {
    createServer(options: { readonly log: () => void }): {
      on(event: "connection", listener: (connection: Connection) => void): void;
      installHandlers(server: Server, options: { readonly prefix: string }): void;
    };
  };

  export = sockjs;
}

declare module "sockjs-client" {
  class SockJsClient {
    constructor(url: string, reserved: null, options: { readonly transports: string | string[] });
    send(text: string): void;
    close(code?: number): void;
    onopen: () => void;
    onmessage: (event: { readonly data: string }) => void;
    onerror: unknown;
    onclose: (event: { readonly code: number; readonly reason: string }) => void;
  }

  export = SockJsClient;
}
