import type { AuthenticateFirst, Guard, RefusalCode, RefusedFirst } from "@firmshake/node";
import type { HandshakeSketch } from "../attacks/attack.ts";
import type { MakeGuard } from "../frameworks/framework.ts";
import type { Issuer } from "../issuer.ts";
import type { Routes } from "../pages/handler.ts";
import type { Errand, Sender } from "../protocol.ts";
import type { Authorizer } from "../services/authorizer.ts";
import type { Certificates, KeyAndCertificate } from "../services/certificates.ts";
import type { IntrospectionClient, OpaqueTokens } from "../services/opaque-tokens.ts";
import type { Sessions } from "../services/sessions.ts";

/** A way to prove who you are, at a path of its own. */
export interface Way {
  /** Letters and hyphens: its path is `/ways/` and this, and its source file is called so. */
  readonly id: string;
  readonly title: string;
  /** For whom it is. */
  readonly sentence: string;
  /** The file that is about it, from the root of the repository on. */
  readonly guide: string;
  /** Where it stands: on the chat's own server, or on the one that asks for certificates. Default `plain`. */
  readonly listener?: "plain" | "tls";
  /** Further source files of which a part is shown, from `src/` on. */
  readonly alsoShown?: readonly string[];
  /** Makes its guard and what is tried there. The part that the card shows stands between `#region shown` and `#endregion`. */
  readonly open: (world: World) => OpenWay | Promise<OpenWay>;
}

/** What ways are made of. */
export interface World {
  /** The framework's own. */
  readonly guard: MakeGuard;
  /** The origin of the chat's page. */
  readonly page: string;
  /** The origin of the attack panel. */
  readonly panel: string;
  readonly tokens: Issuer;
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUri: string;
  readonly opaqueTokens: OpaqueTokens;
  readonly introspector: IntrospectionClient & { readonly endpoint: string };
  readonly authorizer: Authorizer & { readonly url: string };
  readonly sessions: Sessions;
  readonly certificates: Certificates;
  readonly onRefusedFirst: (refused: RefusedFirst) => void;
}

/** A way whose door stands. */
export interface OpenWay {
  readonly guard: Guard;
  readonly acts: readonly Act[];
  /** What the page's own server answers for it. */
  readonly routes?: Routes;
  /** Where the client says who it is in its first message. */
  readonly authenticate?: AuthenticateFirst;
}

/** What is tried at a way, by one button. */
export interface Act {
  /** Letters and hyphens. */
  readonly id: string;
  /** On the button. */
  readonly label: string;
  /** What is sent, and what that shows. */
  readonly sentence: string;
  /** What has to come back at last: a number is the close code of a connection that was accepted before. */
  readonly expected: "accepted" | RefusalCode | number;
  readonly sender: Sender;
  /** What is asked for before, once, and sent with each handshake. */
  readonly errand?: Errand;
  /** One after the other; the last is what counts. */
  readonly handshakes: () => Promise<readonly Sketch[]>;
}

/** One handshake at a way. */
export interface Sketch extends Omit<HandshakeSketch, "target" | "host" | "body"> {
  /** Presented to the TLS listener. */
  readonly certificate?: KeyAndCertificate;
  readonly cookie?: { readonly name: string; readonly value: string };
  /** What is said once the WebSocket is open. */
  readonly firstMessage?: string;
}

/** A way with its door, as everybody else knows it. */
export interface LiveWay extends Omit<Way, "open">, OpenWay {
  readonly path: string;
}

/** The act of who has every right to come in. */
export const connect = (act: Omit<Act, "id" | "label" | "expected">): Act => ({
  id: "connect",
  label: "Connect",
  expected: "accepted",
  ...act,
});

/** Opens it for a world. */
export async function opened({ open, ...way }: Way, world: World): Promise<LiveWay> {
  return { ...way, ...(await open(world)), path: `/ways/${way.id}` };
}
