import type { Application } from "./library.ts";

/** What the sockets of `ws`, in all its editions, have in common. */
export interface WsSocket {
  readonly send: (text: string) => unknown;
  readonly close: (code: number, reason: string) => unknown;
  on(event: "error", listener: () => void): unknown;
  on(event: "message", listener: (data: unknown) => void): unknown;
  on(event: "close", listener: (code: number) => void): unknown;
}

/** The application behind every library that hands out sockets of `ws`. */
export function converse(app: Application, socket: WsSocket, request: object): void {
  app.connected(request);
  socket.on("error", () => undefined);
  socket.on("message", (data) => {
    const text = String(data);
    app.said(text);
    if (text === "leave") socket.close(4001, "left");
    else socket.send(text);
  });
  socket.on("close", app.left);
}
