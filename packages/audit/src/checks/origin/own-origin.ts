import { isIP } from "node:net";
import type { Run } from "../../run.ts";

/** The origin of the endpoint's own pages, taken apart. */
export interface OwnOrigin {
  readonly scheme: string;
  readonly hostname: string;
  /** With its colon; empty where it is the scheme's default. */
  readonly port: string;
  readonly isName: boolean;
  readonly labels: readonly string[];
}

export function ownOriginOf({ own }: Run): OwnOrigin {
  const { protocol, hostname, port } = new URL(own.origin);
  const isName = isIP(hostname.replace(/^\[|\]$/g, "")) === 0;
  return {
    scheme: protocol.slice(0, -1),
    hostname,
    port: port === "" ? "" : `:${port}`,
    isName,
    labels: isName ? hostname.split(".") : [],
  };
}
