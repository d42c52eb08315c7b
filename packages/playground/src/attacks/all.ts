import type { Attack } from "./attack.ts";
import { closedAccount } from "./closed-account.ts";
import { crossSite } from "./cross-site.ts";
import { expiredToken } from "./expired-token.ts";
import { flood } from "./flood.ts";
import { forgedToken } from "./forged-token.ts";
import { forgottenPath } from "./forgotten-path.ts";
import { missingToken } from "./missing-token.ts";
import { nullOrigin } from "./null-origin.ts";
import { rebinding } from "./rebinding.ts";
import { reset } from "./reset.ts";
import { smuggledBody } from "./smuggled-body.ts";
import { spoofedProxy } from "./spoofed-proxy.ts";
import { tokenInQuery } from "./token-in-query.ts";
import { twoHosts } from "./two-hosts.ts";
import { twoTokens } from "./two-tokens.ts";
import { unsignedToken } from "./unsigned-token.ts";

/** Every attack, in the order in which they are shown and sent: the flood last, since it uses up what the address may do. */
export const attacks: readonly Attack[] = [
  crossSite,
  nullOrigin,
  missingToken,
  expiredToken,
  forgedToken,
  unsignedToken,
  tokenInQuery,
  twoTokens,
  closedAccount,
  forgottenPath,
  rebinding,
  spoofedProxy,
  twoHosts,
  smuggledBody,
  reset,
  flood,
];
