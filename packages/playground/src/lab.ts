import type { DecisionLog } from "./decisions.ts";
import type { Issuer } from "./issuer.ts";
import type { Library } from "./libraries/library.ts";
import type { Certificates } from "./services/certificates.ts";
import type { LiveWay } from "./ways/way.ts";

/** A server that attacks are sent to. */
export interface Target {
  readonly port: number;
  /** How it is called in `Host`. */
  readonly host: string;
  readonly library: Library;
}

/** What attacks know of the world. */
export interface Lab {
  readonly issuer: Issuer;
  /** The origin of the chat's page, the only one that may connect. */
  readonly page: string;
  /** The origin of the attack panel. */
  readonly panel: string;
  readonly gated: Target;
  /** The same server without the gate. */
  readonly bare: Target;
  /** The server that asks clients for certificates, with the gate where {@link gated} has it. */
  readonly tls: Target;
  readonly certificates: Certificates;
  readonly ways: readonly LiveWay[];
  readonly log: DecisionLog;
  /** Framework and library in words. */
  readonly runsOn: string;
}

/** Where the issuer's keys are fetched from. */
export const jwksUriOf = ({ page }: Pick<Lab, "page">): string => `${page}/.well-known/jwks.json`;
