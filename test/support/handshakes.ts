import type {
  Decision,
  Handshake,
  ProxyTrust,
  RefusalCode,
  TlsFacts,
  Transport,
} from "@firmshake/core";
import { createHandshake } from "@firmshake/core/gate";

/** What a test says of a handshake; the rest is a good one of https://app.example.com. */
export interface HandshakeSketch {
  readonly transport?: Transport;
  readonly method?: string;
  readonly target?: string;
  readonly httpVersion?: string | undefined;
  /** Over the good headers: a text replaces one, a list repeats it, undefined leaves it out. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly peer?: string | undefined;
  readonly isTls?: boolean;
  readonly signal?: AbortSignal;
  readonly trust?: ProxyTrust;
  readonly maxHeaderLines?: number;
  readonly showsConnectionHeader?: boolean;
  readonly pseudoHeaders?: readonly string[];
}

/** The key of RFC 6455 §1.3. */
export const sampleKey = "dGhlIHNhbXBsZSBub25jZQ==";

const goodHeaders = {
  host: "app.example.com",
  upgrade: "websocket",
  connection: "Upgrade",
  "sec-websocket-version": "13",
  "sec-websocket-key": sampleKey,
  origin: "https://app.example.com",
};

const tlsFacts: TlsFacts = {
  protocol: "TLSv1.3",
  serverName: "app.example.com",
  isClientAuthorized: false,
};

/** A handshake that is good in everything but what the test says of it. */
export function handshakeOf(sketch: HandshakeSketch = {}): Handshake {
  const { signal = new AbortController().signal, isTls = true } = sketch;
  return createHandshake(
    {
      transport: sketch.transport ?? "websocket",
      method: sketch.method ?? "GET",
      target: sketch.target ?? "/chat",
      httpVersion: "httpVersion" in sketch ? sketch.httpVersion : "1.1",
      headerLines: headerLinesOf(sketch.headers ?? {}),
      maxHeaderLines: sketch.maxHeaderLines ?? 100,
      showsConnectionHeader: sketch.showsConnectionHeader ?? true,
      ...(sketch.pseudoHeaders === undefined ? {} : { pseudoHeaders: sketch.pseudoHeaders }),
      peerAddress: () => ("peer" in sketch ? sketch.peer : "203.0.113.7"),
      tls: () => (isTls ? tlsFacts : undefined),
      signal: () => signal,
    },
    sketch.trust,
  );
}

function headerLinesOf(given: NonNullable<HandshakeSketch["headers"]>): readonly string[] {
  const headers: HandshakeSketch["headers"] = { ...goodHeaders, ...given };
  return Object.entries(headers).flatMap(([name, value = []]) =>
    typeof value === "string" ? [name, value] : value.flatMap((one) => [name, one]),
  );
}

/** One word for what came of it: `allow`, or the code of the refusal. */
export const wordOf = (
  decision: Decision<object> | { readonly ok: boolean; readonly refusal?: { code: RefusalCode } },
): RefusalCode | "allow" | "neither" => {
  if (decision.ok) return "allow";
  if ("code" in decision) return decision.code;
  return "refusal" in decision && decision.refusal !== undefined
    ? decision.refusal.code
    : "neither";
};

/** A guard or a check, asked once. */
export async function askedOf(
  asked:
    | ((handshake: Handshake) => unknown)
    | { readonly decide: (handshake: Handshake) => unknown },
  handshake: Handshake,
): Promise<ReturnType<typeof wordOf>> {
  const answer = await (typeof asked === "function" ? asked(handshake) : asked.decide(handshake));
  return wordOf(answer as Decision<object>);
}

/** The message and code of what a call throws, as one text. */
export function thrownBy(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return "nothing was thrown";
}
