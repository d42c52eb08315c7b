import { FirmSocket, type FirmSocketClass, withFirmshake } from "@firmshake/client";
import { expectTypeOf, it } from "vitest";
import { WebSocket as NodeWebSocket } from "ws";

it("a socket is a WebSocket", () => {
  expectTypeOf<FirmSocket>().toExtend<WebSocket>();
});

it("a class of sockets stands for the class WebSocket", () => {
  expectTypeOf<FirmSocketClass>().toExtend<new (url: string, protocols?: string[]) => WebSocket>();
  expectTypeOf(withFirmshake({})).toEqualTypeOf<FirmSocketClass>();
});

it("the class below may be that of ws or of the browser", () => {
  withFirmshake({ WebSocket: NodeWebSocket });
  withFirmshake({ WebSocket });
});

it("events have their own types", () => {
  const socket = new FirmSocket("wss://app.example.com/");
  socket.addEventListener("close", ({ code, reason }) => {
    expectTypeOf(code).toEqualTypeOf<number>();
    expectTypeOf(reason).toEqualTypeOf<string>();
  });
  socket.addEventListener("reconnecting", ({ delayMs }) => {
    expectTypeOf(delayMs).toEqualTypeOf<number>();
  });
});
