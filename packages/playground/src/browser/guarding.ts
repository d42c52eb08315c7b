import type {
  ConnectionView,
  DrainedView,
  GuestAttempt,
  Heard,
  OpenView,
  RuleOrder,
  RuleView,
  Settings,
} from "../protocol.ts";
import { showCloses } from "./closes.ts";
import { showConnections } from "./connections.ts";
import { byId, element } from "./dom.ts";
import { bringGuest, sayAtOnce } from "./guests.ts";

/** What the gate does with connections once they are open, and buttons that have it done. */
export function startGuarding(
  events: EventSource,
  { guestsCode, rules }: Pick<Settings, "guestsCode" | "rules">,
): void {
  const told = byId("told", HTMLParagraphElement);
  const tell = (text: string): void => {
    told.textContent = text;
  };
  const announcement = byId("closes-announcement", HTMLParagraphElement);

  showConnections(events, {
    refresh: async (connection) => tell(await refresh(connection)),
    revoke: async (connection) => tell(await revoke(connection)),
  });
  showCloses(events, (text) => {
    announcement.textContent = text;
  });
  byId("guests-code", HTMLPreElement).textContent = guestsCode;
  byId("rules", HTMLFieldSetElement).append(
    ...rules.map((rule) => {
      const { id, label } = rule;
      const attributes = { class: "button", type: "button", "data-rule": id };
      const button = element("button", attributes, label);
      onPress(button, async () => tell(await breakRule(rule)), tell);
      return button;
    }),
  );
  onPress(byId("bring-guests", HTMLButtonElement), async () => tell(await bringGuests()), tell);
  startDraining(events, tell);
}

/** Not twice at a time. */
function onPress(
  button: HTMLButtonElement,
  act: () => Promise<void>,
  tell: (text: string) => void,
): void {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    await act().catch(() => tell("It could not be tried."));
    button.removeAttribute("aria-disabled");
  });
}

async function bringGuests(): Promise<string> {
  const guests = await post<readonly GuestAttempt[]>("/invitations");
  let count = 0;
  for (const guest of guests) if (await bringGuest(guest)) count++;
  return count === guests.length
    ? `${count} guests are in, until their tokens end.`
    : `${count} of ${guests.length} guests were let in: see the decisions.`;
}

async function refresh({ id, subject }: ConnectionView): Promise<string> {
  const { token } = await post<{ readonly token: string }>(`/connections/${id}/token`);
  const renewed = await fetch("/renew", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Firmshake-Connection": id },
  });
  if (!renewed.ok) return `The new token of ${subject} was refused, by ${renewed.status}.`;
  const { expiresInMs } = (await renewed.json()) as { readonly expiresInMs: number };
  const seconds = Math.round(expiresInMs / 1_000);
  return `${subject} has a new token, for ${seconds} s; the connection is the same.`;
}

async function revoke({ id, subject }: ConnectionView): Promise<string> {
  const { closed } = await post<{ readonly closed: number }>(`/connections/${id}/revoke`);
  const connections = closed === 1 ? "1 connection was" : `${closed} connections were`;
  return `${subject}’s tokens are revoked, and ${connections} closed.`;
}

async function breakRule({ id, label, expected }: RuleView): Promise<string> {
  const order = await post<RuleOrder>(`/rules/${id}`);
  const [who, heard] =
    order.kind === "measured"
      ? ["A program", order.heard]
      : ["This page", await sayAtOnce(order.attempt, order.requests)];
  const verdict = heard.reason === expected ? "" : ", which it must not";
  return `${label}. ${who} heard: ${wordsOf(heard)}${verdict}.`;
}

const wordsOf = ({ closeCode, reason }: Heard): string =>
  [closeCode, reason].filter(Boolean).join(" ") || "nothing";

/** One button, which brings back what it has drained. */
function startDraining(events: EventSource, tell: (text: string) => void): void {
  const button = byId("drain", HTMLButtonElement);
  const mark = byId("server-state", HTMLParagraphElement);
  let state: OpenView["state"] = "open";

  events.addEventListener("open-connections", ({ data }) => {
    ({ state } = JSON.parse(data) as OpenView);
    mark.dataset.state = state;
    mark.textContent = words[state];
    button.textContent = state === "open" ? "Drain the server" : "Bring it back";
  });
  onPress(
    button,
    async () => {
      if (state === "open") {
        const { open, closed, terminated } = await post<DrainedView>("/drain");
        tell(
          `Of ${open} open, ${closed} were closed and ${terminated} cut off. Nobody is let in now: try it.`,
        );
      } else {
        const answer = await fetch("/restart", { method: "POST" });
        tell(answer.ok ? "The server is back, and lets in who comes again." : "It is not drained.");
      }
    },
    tell,
  );
}

const words: Readonly<Record<OpenView["state"], string>> = {
  open: "lets in",
  draining: "draining",
  drained: "drained, answers 503",
};

async function post<Answer>(path: string): Promise<Answer> {
  const answer = await fetch(path, { method: "POST" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as Answer;
}
