/** One contender of the groups of messages, in a process of its own: a `ws` server that answers each message with one of 1 KiB. */
import { createServer } from "node:http";
import { everybody, message, messages } from "@firmshake/messages";
import { Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { Ajv } from "ajv";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { cpuOrders } from "./cpu-orders.mjs";
import { schemas } from "./hygiene-messages.mjs";
import { takeOrders } from "./take-orders.mjs";

/** What each library makes of the JSON Schema of a message. */
const compiled = {
  typebox: (schema) => {
    const check = TypeCompiler.Compile(toTypebox(schema));
    return (value) => check.Check(value);
  },
  ajv: (schema) => new Ajv().compile(schema),
  zod: (schema) => z.fromJSONSchema(schema),
};

/** Each makes what is done with a socket; `answer` is the end of it. */
const contenders = {
  bare: () => (socket, answer) => socket.on("message", () => answer(socket)),
  "JSON.parse": () => (socket, answer) =>
    socket.on("message", (data) => {
      JSON.parse(data.toString());
      answer(socket);
    }),
  "by hand": ({ library, shape }) => {
    const validate = compiled[library](schemas[shape]);
    const isValid = library === "zod" ? (value) => validate.safeParse(value).success : validate;
    return (socket, answer) =>
      socket.on("message", (data) => {
        if (isValid(JSON.parse(data.toString()))) answer(socket);
      });
  },
  firmshake: ({ library, shape }) => {
    const schema = compiled[library](schemas[shape]);
    const protocol = messages({
      types: { say: message({ schema, allow: everybody }) },
      budget: { limit: 1_000_000_000, windowMs: 1_000 },
      onError: (error) => {
        throw error;
      },
    });
    return (socket, answer) =>
      protocol.listen(socket, { connection: {}, on: { say: () => answer(socket) } });
  },
};

const prepared = Buffer.alloc(1_024, "a");
const answer = (socket) => socket.send(prepared, { binary: false });

const orders = {
  start: async ({ contender, options = {} }) => {
    const serve = contenders[contender](options);
    const server = createServer();
    new WebSocketServer({ server }).on("connection", (socket) => serve(socket, answer));
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: server.address().port };
  },
  ...cpuOrders,
};

/** typebox compiles its own kind of JSON Schema, in which each part says what kind it is. */
function toTypebox({ type, properties, items, maxLength }) {
  if (type === "object") {
    const parts = Object.entries(properties).map(([name, part]) => [name, toTypebox(part)]);
    return Type.Object(Object.fromEntries(parts));
  }
  if (type === "array") return Type.Array(toTypebox(items));
  if (type === "string") return Type.String({ maxLength });
  return type === "number" ? Type.Number() : Type.Boolean();
}

takeOrders(orders);
