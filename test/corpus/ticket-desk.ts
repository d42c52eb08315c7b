import { type Tickets, tickets } from "@firmshake/core";
import type { Step } from "./case.ts";
import type { TicketWords } from "./policy-words.ts";
import { fullRequest } from "./request.ts";
import type { TokenBuilder } from "./tokens.ts";
import { WordError } from "./words.ts";

/** Tickets by the names that steps give them. */
export interface TicketDesk {
  readonly entry: Tickets;
  /** The page that asks is the one that the step's headers name; `jwtExp` is the end of the session behind it. */
  readonly issue: (step: Step) => Promise<void>;
  /** The step with its ticket in the query, unless it says {ticket} itself where it goes; and with the proof for it, if there is one. */
  readonly place: (step: Step) => Step;
}

export function ticketDesk(
  words: TicketWords,
  builder: TokenBuilder,
  now: () => number,
): TicketDesk {
  const { ttlSeconds = 30, singleUse = true, bindAddress = false, bindKey = false } = words;
  if (!singleUse) throw new WordError("policy.ticket.singleUse: there are no others");
  const entry = tickets({
    lifetimeMs: ttlSeconds * 1_000,
    bindAddress,
    now,
    ...(bindKey ? { dpop: { origins: ["https://app.example.com"] } } : {}),
  });
  const issued = new Map<string, string>();

  async function issue(step: Step): Promise<void> {
    const { target, headers, remoteAddress } = fullRequest(step);
    const [path = ""] = target.split("?");
    const { ticket } = await entry.issue({
      subject: step.user ?? "u1",
      path,
      origin: headers.find(([name]) => name === "Origin")?.[1],
      address: remoteAddress,
      thumbprint: bindKey ? builder.thumbprint?.(step.key ?? "es-client") : undefined,
      expiresAt: step.jwtExp === undefined ? undefined : step.jwtExp * 1_000,
    });
    issued.set(step.as ?? "", ticket);
  }

  function place({ ticket: name, proof: proofWords, ...step }: Step): Step {
    const ticket = issued.get(name ?? "");
    if (ticket === undefined) throw new WordError(`steps: unknown ticket "${name}"`);
    const proof = proofWords && builder.prove?.(proofWords, ticket, Math.floor(Date.now() / 1_000));
    const { url = "/ws", headers = [] } = step;
    const isPlaced = [url, ...headers.flat()].some((text) => text.includes("{ticket"));
    const shown = proof === undefined ? "{ticket}" : "{ticket}~{proof}";
    const target = isPlaced ? url : `${url}${url.includes("?") ? "&" : "?"}ticket=${shown}`;
    const fill = (text: string): string =>
      text
        .replaceAll("{ticket}", ticket)
        .replaceAll("{ticket-start}", ticket.slice(0, -1))
        .replaceAll("{ticket-upper}", ticket.toUpperCase())
        .replaceAll("{ticket-spare-bits}", withSpareBits(ticket))
        .replaceAll("{ticket-percent}", percentEncoded(ticket))
        .replaceAll("{proof}", proof ?? "");
    return {
      ...step,
      ticket: undefined,
      proof: undefined,
      url: fill(target),
      headers: headers.map(([header, value]) => [header, fill(value)] as const),
    };
  }

  return { entry, issue, place };
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Of the last letter of 43, two bits belong to no byte. */
const withSpareBits = (ticket: string): string =>
  ticket.slice(0, -1) + alphabet.charAt(alphabet.indexOf(ticket.slice(-1)) ^ 1);

const percentEncoded = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
