import { createHash } from "node:crypto";

/** `Sec-WebSocket-Accept` for a key (RFC 6455 §4.2.2). */
export const acceptKey = (key: string): string =>
  createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
