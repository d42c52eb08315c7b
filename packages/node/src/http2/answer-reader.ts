import { maxHeaderSize } from "node:http";
import { isHeaderValue, isHttpToken, trimBlanks } from "@firmshake/core/gate";
import { ChunkedBody } from "./chunked-body.ts";
import { ImproperAnswer } from "./improper-answer.ts";

/** Status and fields of an HTTP/1.1 answer, names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly fields: readonly AnswerField[];
}

export type AnswerField = readonly [name: string, value: string];

/** An answer in pieces: interim heads, the head, its body, and the body's end. Behind a 101 every byte is body. */
export type AnswerPart =
  | { readonly kind: "head"; readonly head: AnswerHead }
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "end" };

/**
 * Reads the HTTP/1.1 answer that a WebSocket library writes to its socket (RFC 9112), in whatever chunks it comes. Stricter than clients
 * are: what is read goes on in HTTP/2, where nobody would read it a second time.
 */
export class AnswerReader {
  #held: Buffer = nothing;
  /** Undefined until there is a head that is not interim. */
  #body: Body | undefined;

  /** @throws {@link ImproperAnswer} */
  read(chunk: Buffer): readonly AnswerPart[] {
    const parts: AnswerPart[] = [];
    let rest = chunk;
    while (this.#body === undefined) {
      this.#held = this.#held.length === 0 ? rest : Buffer.concat([this.#held, rest]);
      const end = this.#held.indexOf("\r\n\r\n");
      if ((end === -1 ? this.#held.length : end) > maxHeaderSize) {
        throw new ImproperAnswer("the head is too long");
      }
      if (end === -1) return parts;
      const head = parseHead(this.#held.toString("latin1", 0, end));
      rest = this.#held.subarray(end + 4);
      this.#held = nothing;
      this.#body = bodyOf(head);
      parts.push({ kind: "head", head });
    }
    parts.push(...this.#body.read(rest));
    return parts;
  }

  /**
   * The writer has ended.
   *
   * @throws {@link ImproperAnswer} where something is missing.
   */
  finish(): readonly AnswerPart[] {
    if (this.#body === undefined) throw new ImproperAnswer("there is no whole head");
    return this.#body.finish();
  }
}

const nothing = Buffer.alloc(0);

/** The only expression here; no part of it can match in two ways. */
const statusLine = /^HTTP\/1\.[01] ([1-5][0-9]{2})(?: (.*))?$/;

/** RFC 9112 §4 and §5. */
function parseHead(text: string): AnswerHead {
  const [first = "", ...lines] = text.split("\r\n");
  const match = statusLine.exec(first);
  if (match === null || !isHeaderValue(match[2] ?? "")) {
    throw new ImproperAnswer("the status line is none");
  }
  return { status: Number(match[1]), fields: lines.map(parseField) };
}

function parseField(line: string): AnswerField {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
  const value = trimBlanks(line.slice(colon + 1));
  if (!isHttpToken(name) || !isHeaderValue(value)) throw new ImproperAnswer("a field is none");
  return [name, value];
}

interface Body {
  readonly read: (bytes: Buffer) => readonly AnswerPart[];
  readonly finish: () => readonly AnswerPart[];
}

/** How the body is delimited (RFC 9112 §6.3); undefined behind an interim answer. */
function bodyOf({ status, fields }: AnswerHead): Body | undefined {
  if (status === 101) return bodyUntilEnd();
  if (status < 200) return undefined;
  if (hasNoBody(status)) return bodyOfLength(0);
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    if (lengths.length > 0 || codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") {
      throw new ImproperAnswer("the transfer coding is not chunked alone");
    }
    return new ChunkedBody();
  }
  const [length] = lengths;
  if (length === undefined) return bodyUntilEnd();
  if (lengths.length > 1 || !/^[0-9]{1,15}$/.test(length)) {
    throw new ImproperAnswer("the length is none");
  }
  return bodyOfLength(Number(length));
}

/** RFC 9110 §15.3.5, §15.3.6 and §15.4.5; Node's streams know the same. */
export const hasNoBody = (status: number): boolean =>
  status === 204 || status === 205 || status === 304;

const valuesOf = (fields: readonly AnswerField[], wanted: string): readonly string[] =>
  fields.filter(([name]) => name === wanted).map(([, value]) => value);

function bodyUntilEnd(): Body {
  return {
    read: (bytes) => (bytes.length === 0 ? [] : [{ kind: "bytes", bytes }]),
    finish: () => [{ kind: "end" }],
  };
}

/** What comes behind it is nobody's. */
function bodyOfLength(length: number): Body {
  let left = length;
  let isOver = false;
  return {
    read: (all) => {
      const bytes = all.subarray(0, left);
      left -= bytes.length;
      const parts: AnswerPart[] = bytes.length === 0 ? [] : [{ kind: "bytes", bytes }];
      if (left === 0 && !isOver) {
        isOver = true;
        parts.push({ kind: "end" });
      }
      return parts;
    },
    finish: () => {
      if (left > 0) throw new ImproperAnswer("the body is too short");
      return [];
    },
  };
}
