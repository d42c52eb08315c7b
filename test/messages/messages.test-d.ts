import { createServer } from "node:http";
import {
  authenticated,
  type DataOf,
  everybody,
  type MessageConnection,
  message,
  messages,
  type StandardSchema,
} from "@firmshake/messages";
import { type Connection, connectionOf } from "@firmshake/node";
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Ajv, type JSONSchemaType } from "ajv";
import { type } from "arktype";
import { Server as SocketIoServer } from "socket.io";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { WebSocketServer } from "ws";
import { z } from "zod";

interface Said {
  text: string;
}
const said: JSONSchemaType<Said> = {
  type: "object",
  properties: { text: { type: "string" } },
  required: ["text"],
};
const compiled = TypeCompiler.Compile(Type.Object({ text: Type.String() }));

const protocol = messages({
  types: {
    zod: message({ schema: z.object({ n: z.string().transform(Number) }), allow: authenticated }),
    valibot: message({ schema: v.object({ text: v.string() }), allow: everybody }),
    arktype: message({ schema: type({ text: "string" }), allow: everybody }),
    ajv: message({ schema: new Ajv().compile(said) }),
    typebox: message({ schema: compiled }),
    predicate: message({ schema: (value): value is Said => compiled.Check(value) }),
    inferred: message({ schema: (value) => compiled.Check(value) }),
    unknown: message({ schema: (): boolean => true }),
    inRoom: message({
      schema: z.object({ room: z.string() }),
      allow: (connection: Connection<{ readonly rooms: readonly string[] }>) =>
        connection.facts.rooms.length > 0,
      allowData: ({ facts }, { room }) => facts.rooms.includes(room),
    }),
  },
  onError: (error, place) => {
    expectTypeOf(error).toBeUnknown();
    expectTypeOf(place.connection).toEqualTypeOf<MessageConnection>();
  },
});
type Facts = { readonly rooms: readonly string[] };

describe("what a schema says", () => {
  it("reaches the handler", () => {
    new WebSocketServer({ server: createServer() }).on("connection", (socket, request) => {
      const connection = connectionOf(request) as Connection<Facts>;
      const stop = protocol.listen(socket, {
        connection,
        on: {
          zod: (data, context) => {
            expectTypeOf(data).toEqualTypeOf<{ n: number }>();
            expectTypeOf(context.connection).toEqualTypeOf<Connection<Facts>>();
          },
          valibot: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          arktype: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          ajv: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          typebox: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          predicate: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          inferred: (data) => expectTypeOf(data).toEqualTypeOf<Said>(),
          unknown: (data) => expectTypeOf(data).toBeUnknown(),
          inRoom: ({ room }) => expectTypeOf(room).toBeString(),
        },
      });
      expectTypeOf(stop).toEqualTypeOf<() => void>();
    });
  });

  it("is a Standard Schema's by the specification", () => {
    expectTypeOf<StandardSchemaV1<string, number>>().toExtend<StandardSchema<number>>();
    expectTypeOf<DataOf<StandardSchemaV1<string, number>>>().toEqualTypeOf<number>();
    // @ts-expect-error A schema that nobody has compiled is none.
    message({ schema: { type: "object" } });
  });
});

describe("handlers", () => {
  const say = message({ schema: z.object({ text: z.string() }), allow: everybody });
  const small = messages({ types: { say }, onError: () => undefined });
  const socket = {} as import("ws").WebSocket;
  const connection = {};

  it("are there for each type, and for no other", () => {
    small.listen(socket, { connection, on: { say: () => undefined } });
    // @ts-expect-error A type has no handler.
    small.listen(socket, { connection, on: {} });
    // @ts-expect-error There is no such type.
    small.listen(socket, { connection, on: { say: () => undefined, shout: () => undefined } });
    // @ts-expect-error The data is not this.
    small.listen(socket, { connection, on: { say: (data: { text: number }) => data } });
    // @ts-expect-error Binary messages are refused.
    small.listen(socket, { connection, on: { say: () => undefined }, onBinary: () => undefined });
  });

  it("are there for binary messages where those are a type", () => {
    const binary = message({ schema: z.instanceof(Uint8Array), allow: everybody });
    const both = messages({ types: { say }, binary, onError: () => undefined });
    both.listen(socket, {
      connection,
      on: { say: () => undefined },
      onBinary: (data) => expectTypeOf(data.byteLength).toBeNumber(),
    });
    // @ts-expect-error Nobody handles binary messages.
    both.listen(socket, { connection, on: { say: () => undefined } });
  });

  it("are given a connection with what the types ask of it", () => {
    // @ts-expect-error It has no facts.
    protocol.listen(socket, { connection: {}, on: {} as never });
    // @ts-expect-error An identity is no text.
    small.listen(socket, { connection: { identity: "ada" }, on: { say: () => undefined } });
  });

  it("of Socket.IO are told how to acknowledge", () => {
    new SocketIoServer().on("connection", (client) => {
      small.listenToSocketIo(client, {
        connection: connectionOf(client.request),
        on: {
          say: (data, { ack }) => {
            expectTypeOf(data).toEqualTypeOf<Said>();
            expectTypeOf(ack).toEqualTypeOf<
              ((...answer: readonly unknown[]) => void) | undefined
            >();
          },
        },
      });
    });
  });
});
