import { maxHeaderSize } from "node:http";
import type { AnswerPart } from "./answer-reader.ts";
import { ImproperAnswer } from "./improper-answer.ts";

/** Takes the chunked coding off a body (RFC 9112 §7.1). Extensions and trailers, which nobody asked for, are dropped. */
export class ChunkedBody {
  #awaits: "size" | "data" | "end of data" | "trailer" | "nothing" = "size";
  /** Of the line that is being read. */
  #line = "";
  #trailerBytes = 0;
  /** Of the chunk that is being read. */
  #left = 0;

  /** @throws {@link ImproperAnswer} */
  read(bytes: Buffer): readonly AnswerPart[] {
    const parts: AnswerPart[] = [];
    let at = 0;
    while (at < bytes.length && this.#awaits !== "nothing") {
      if (this.#awaits === "data") {
        const data = bytes.subarray(at, at + this.#left);
        parts.push({ kind: "bytes", bytes: data });
        at += data.length;
        this.#left -= data.length;
        if (this.#left === 0) this.#awaits = "end of data";
        continue;
      }
      const end = bytes.indexOf(0x0a, at);
      const stop = end === -1 ? bytes.length : end + 1;
      this.#line += bytes.toString("latin1", at, stop);
      at = stop;
      if (this.#line.length > maxHeaderSize) throw new ImproperAnswer("a line is too long");
      if (end === -1) break;
      const isOver = this.#take(this.#line);
      this.#line = "";
      if (isOver) parts.push({ kind: "end" });
    }
    return parts;
  }

  /** @throws {@link ImproperAnswer} where the last chunk is missing. */
  finish(): readonly AnswerPart[] {
    if (this.#awaits !== "nothing") throw new ImproperAnswer("the last chunk is missing");
    return [];
  }

  /** Whether this was the last line. */
  #take(ended: string): boolean {
    if (!ended.endsWith("\r\n")) throw new ImproperAnswer("a line does not end in CRLF");
    const line = ended.slice(0, -2);
    if (this.#awaits === "size") {
      this.#left = sizeIn(line);
      this.#awaits = this.#left === 0 ? "trailer" : "data";
    } else if (this.#awaits === "end of data") {
      if (line !== "") throw new ImproperAnswer("a chunk is longer than its size");
      this.#awaits = "size";
    } else {
      this.#trailerBytes += ended.length;
      if (this.#trailerBytes > maxHeaderSize) throw new ImproperAnswer("the trailers are too long");
      if (line === "") this.#awaits = "nothing";
    }
    return this.#awaits === "nothing";
  }
}

function sizeIn(line: string): number {
  const match = /^([0-9A-Fa-f]{1,8})[ \t]*(?:;|$)/.exec(line);
  if (match === null) throw new ImproperAnswer("a chunk has no size");
  return Number.parseInt(match[1] as string, 16);
}
