declare module "sockjs" {
  interface Connection {
    on(event: "data", listener: (data: string) => void): void;
    write(data: string): void;
  }
  const sockjs: {
    createServer(options: object): {
      on(event: "connection", listener: (connection: Connection) => void): void;
      installHandlers(server: object, options: object): void;
    };
  };
  export = sockjs;
}

declare module "sockjs-client" {
  class SockJs {
    constructor(url: string, protocols: null, options: object);
    onopen: () => void;
    onmessage: (event: { data: string }) => void;
    onclose: (event: { code: number }) => void;
    send(data: string): void;
    close(): void;
  }
  export = SockJs;
}
