import type { Handshake, Refusal, RefusalCode, TrailEntry } from "@firmshake/core";
import { openingRefusal, protocolToAnswer } from "@firmshake/core/gate";
import { acceptKey } from "./accept-key.ts";
import { isOriginKnown } from "./readable-refusal.ts";
import type { Target } from "./target.ts";

/** How refusals are said: by an HTTP answer, by a WebSocket that is closed at once, or by what the client can see. */
export type RefuseOption = "http" | "close" | "auto";

/**
 * An opening handshake that is completed and at once closed, for clients that see nothing of an HTTP answer: browsers. No extension, and
 * nothing of the application.
 *
 * @returns the whole answer, one byte for each letter; undefined where the refusal has to be said in HTTP.
 */
export function closingAnswer(
  option: RefuseOption,
  { target, handshake }: { readonly target: Target; readonly handshake: Handshake },
  refusal: Refusal,
  trail: readonly TrailEntry[],
): string | undefined {
  if (option === "http" || target.refuseByClose === undefined) return undefined;
  // A close is there for every page to read, an HTTP answer for none.
  if (option === "auto" && (isOfForeigners.has(refusal.code) || !isOriginKnown(handshake, trail))) {
    return undefined;
  }
  if (openingRefusal(handshake) !== undefined) return undefined;
  const key = target.key ?? handshake.headers.only("sec-websocket-key");
  if (key === undefined) return undefined;
  const protocol = protocolToAnswer(handshake);
  // Browsers fail the connection where they have offered and are answered none (WHATWG WebSockets §2).
  if (protocol === undefined && handshake.protocols.length > 0) return undefined;
  return `${openingAnswer(key, protocol)}${closeFrame(refusal)}`;
}

/** Of several guards on the way one may have let the page in, and the next not. */
const isOfForeigners: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  "host_denied",
  "origin_missing",
  "origin_null",
  "origin_invalid",
  "origin_denied",
]);

/** RFC 6455 §4.2.2. */
function openingAnswer(key: string, protocol: string | undefined): string {
  const agreed = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n${agreed}\r\n`;
}

/** RFC 6455 §5.5.1, not masked: a server's. Codes are short enough for the 123 bytes that a reason may have. */
function closeFrame(refusal: Refusal): string {
  const { closeCode } = refusal;
  const reason = closeReason(refusal);
  return String.fromCharCode(0x88, reason.length + 2, closeCode >> 8, closeCode & 0xff) + reason;
}

/** `code`, or `code;retry=seconds`, as `docs/errors.md` has it. */
function closeReason({ code, headers }: Refusal): string {
  const retryAfter = headers.find(([name]) => name.toLowerCase() === "retry-after")?.[1];
  return isSeconds(retryAfter) ? `${code};retry=${retryAfter}` : code;
}

const isSeconds = (text: string | undefined): boolean => /^[0-9]{1,9}$/.test(text ?? "");
