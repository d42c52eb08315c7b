import { randomInt } from "node:crypto";
import type { RefusalCode } from "@firmshake/node";
import { attemptParameter } from "../decisions.ts";
import {
  type Answer,
  type Line,
  type Opening,
  shakeHands,
  webSocketLines,
} from "../handshake-client.ts";
import type { Lab, Target } from "../lab.ts";
import { chatProtocol } from "../policy.ts";
import type { AttackView, Measured } from "../protocol.ts";
import { nobody } from "../server.ts";

/** A way in, tried for real. */
export interface Attack extends AttackView {
  /** What goes over the wire, in a few words. */
  readonly sent: string;
  /** What the gate has to answer, or what has to become of the server. */
  readonly expected: RefusalCode | "survives";
  /** Sends it from Node and measures what comes back. */
  readonly run: (lab: Lab, target: Target, attempt: string) => Promise<Measured>;
  /** What a browser has to ask for, where a browser can send it. */
  readonly sketch?: (lab: Lab) => Promise<HandshakeSketch>;
}

/** A handshake in the words of its sender. */
export interface HandshakeSketch {
  /** Path and query. */
  readonly target: string;
  /** The origin of the page that sends it; undefined for a program that names none. */
  readonly origin: string | undefined;
  /** The subprotocols that are offered. Default: the chat's alone. */
  readonly protocols?: readonly string[];
  /** `Host`; the server's own unless said otherwise. */
  readonly host?: string;
  /** More header lines. */
  readonly lines?: readonly Line[];
  readonly body?: Buffer;
}

/** An attack of one handshake. */
export interface SingleHandshake extends AttackView {
  readonly sent: string;
  readonly expected: RefusalCode;
  readonly sketch: (lab: Lab) => Promise<HandshakeSketch>;
}

/** An attack that is stopped when its one handshake is refused by the code that fits it. */
export function singleHandshake(attack: SingleHandshake): Attack {
  return {
    ...attack,
    run: async (lab, target, attempt) => {
      const sketch = await attack.sketch(lab);
      return measured(
        await shakeHands(target, openingOf(sketch, target, attempt)),
        attack.expected,
        sketch,
      );
    },
  };
}

export function openingOf(
  sketch: HandshakeSketch,
  { host, library }: Target,
  attempt: string,
): Opening {
  const { origin, protocols = [chatProtocol], lines = [], body } = sketch;
  return {
    target: withQuery(targetOf(sketch, attempt), library.dialect.query),
    lines: [
      ["Host", sketch.host ?? host],
      ...webSocketLines(),
      ...(origin === undefined ? [] : [["Origin", origin] as const]),
      ["Sec-WebSocket-Protocol", protocols.join(", ")],
      ...lines,
    ],
    ...(body === undefined ? {} : { body }),
  };
}

/** With the name of the attempt, by which its decision is found again. */
export function targetOf({ target }: HandshakeSketch, attempt: string): string {
  return withQuery(target, `${attemptParameter}=${attempt}`);
}

const withQuery = (target: string, query: string): string =>
  query === "" ? target : `${target}${target.includes("?") ? "&" : "?"}${query}`;

/** A name for one attempt: the attack's own and a number. */
export const newAttempt = (attack: string): string =>
  `${attack}.${randomInt(36 ** 6).toString(36)}`;

function measured(answer: Answer, expected: string, { body }: HandshakeSketch): Measured {
  const { status, code, title, isAlive, events } = answer;
  if (status === 0) return { isStopped: false, text: "no answer" };
  if (status !== 101) {
    return {
      isStopped: code === expected,
      text: code === undefined ? String(status) : `${status} ${code}`,
      ...(title === undefined ? {} : { detail: title }),
    };
  }
  const welcome = events.find((event) => event.type === "welcome");
  const said = events.find((event) => event.type === "said");
  const open =
    welcome === undefined || welcome.name === nobody ? "open" : `open as ${welcome.name}`;
  if (!isAlive) return { isStopped: false, text: "101, then closed" };
  if (body === undefined) return { isStopped: false, text: `101, ${open}, ping answered` };
  return said === undefined
    ? {
        isStopped: false,
        text: `101, ${open}, body not read`,
        detail: "The handshake was accepted all the same.",
      }
    : {
        isStopped: false,
        text: `101, ${open}, body read as a message`,
        detail: `“${said.line.text}”`,
      };
}

/** The victim: somebody who has signed in to the chat. */
export const victim = "Ada";
