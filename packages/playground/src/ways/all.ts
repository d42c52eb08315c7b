import { apiKeyWay } from "./api-key.ts";
import { authorizeWay } from "./authorize.ts";
import { bearer } from "./bearer.ts";
import { boundTicket } from "./bound-ticket.ts";
import { boundToken } from "./bound-token.ts";
import { clientCertificateWay } from "./client-certificate.ts";
import { csrfWay } from "./csrf.ts";
import { dpop } from "./dpop.ts";
import { firstMessageWay } from "./first-message.ts";
import { opaque } from "./opaque.ts";
import { refusals } from "./refusals.ts";
import { session } from "./session.ts";
import { several } from "./several.ts";
import { ticket } from "./ticket.ts";
import { token } from "./token.ts";
import type { Way } from "./way.ts";

/** Every way, in the order of `docs/guide/choosing.md`. */
export const ways: readonly Way[] = [
  session,
  csrfWay,
  token,
  ticket,
  boundTicket,
  bearer,
  opaque,
  dpop,
  boundToken,
  apiKeyWay,
  clientCertificateWay,
  authorizeWay,
  firstMessageWay,
  several,
  refusals,
];
