import { ConfigError, type Identity } from "@firmshake/core";
import {
  accountKey,
  clientKey,
  type IpAddress,
  issuerOf,
  parsePeerAddress,
} from "@firmshake/core/gate";

/** Whom it is about: an address, or a subject with its issuer, if it has one. */
export type Party =
  | { readonly address: string }
  | { readonly subject: string; readonly issuer?: string };

/** A party, and by what it is written down. */
export interface CountedParty {
  readonly key: string;
  readonly address: string | undefined;
  readonly subject: string | undefined;
}

/** What is known of a connection that may be somebody's. */
export interface Suspect {
  readonly identity: Identity | undefined;
  readonly address: string | undefined;
}

/** Who is behind a connection. Its address is asked for only where it counts. */
export const partyBehind = (suspect: Suspect): CountedParty =>
  partyOf(suspect.identity, () => parsePeerAddress(suspect.address));

/** Who it is: the identity where there is one, else the address. */
export function partyOf(
  identity: Identity | undefined,
  addressOf: () => IpAddress | undefined,
): CountedParty {
  if (identity !== undefined) {
    const party = subjectParty(identity.subject, issuerOf(identity));
    // Longer ones would be memory that the client chooses.
    if (party.key.length <= maxKeyLength) return party;
  }
  const address = addressOf();
  return addressParty(address === undefined ? "unknown" : clientKey(address));
}

/**
 * As an application writes it.
 *
 * @throws {@link ConfigError} for what is no address and names no subject.
 */
export function partyIn(party: Party): CountedParty {
  if ("subject" in party && typeof party.subject === "string") {
    return subjectParty(party.subject, party.issuer);
  }
  const address = "address" in party ? parsePeerAddress(party.address) : undefined;
  if (address !== undefined) return addressParty(clientKey(address));
  throw new ConfigError(
    "ERR_FIRMSHAKE_OPTION_INVALID",
    "violations: write { address } with an IP address, or { subject, issuer }.",
  );
}

const maxKeyLength = 256;

const addressParty = (address: string): CountedParty => ({
  key: `address ${address}`,
  address,
  subject: undefined,
});

const subjectParty = (subject: string, issuer: string | undefined): CountedParty => ({
  key: `subject ${accountKey(subject, issuer)}`,
  address: undefined,
  subject,
});
