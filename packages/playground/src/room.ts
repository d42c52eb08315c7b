import type { ChatEvent, ChatLine, ChatRequest } from "./protocol.ts";

/** The chat as it would stand in any application. It knows nothing of the gate, and nothing of the library that carries it. */
export interface Room {
  /** Somebody comes in, whose name may still have to be looked up. */
  readonly enter: (named: Promise<string>, member: Member) => Visit;
}

/** The connection of somebody in the room. */
export interface Member {
  readonly tell: (event: ChatEvent) => void;
  /** Ends the connection of somebody who has no name. */
  readonly drop: () => void;
}

/** What the room has to be told of a connection. */
export interface Visit {
  readonly hear: (message: unknown) => void;
  readonly leave: () => void;
}

const maxRecent = 50;
const maxTextLength = 500;
/** What a library is to take of one message. */
export const maxMessageBytes = 4_096;

export function createRoom(): Room {
  const recent: ChatLine[] = [];
  const names = new Map<Member, string>();

  function broadcast(event: ChatEvent): void {
    for (const { tell } of names.keys()) tell(event);
  }

  const tellPresence = (): void =>
    broadcast({ type: "present", names: [...new Set(names.values())] });

  function say(from: string, text: string): void {
    const line = { from, text, at: Date.now() };
    recent.push(line);
    if (recent.length > maxRecent) recent.shift();
    broadcast({ type: "said", line });
  }

  return {
    enter: (looked, member) => {
      const named = looked.then((name) => {
        names.set(member, name);
        member.tell({ type: "welcome", name, recent });
        tellPresence();
        return name;
      });
      named.catch(member.drop);
      return {
        // A message can be there before the name is known: it waits for it.
        hear: (message) => {
          const asked = readRequest(message);
          named.then((name) => {
            if (asked?.type === "ping") member.tell({ type: "pong" });
            if (asked?.type === "say") say(name, asked.text);
          }, ignore);
        },
        leave: () => {
          named.then(() => {
            names.delete(member);
            tellPresence();
          }, ignore);
        },
      };
    },
  };
}

function ignore(): void {}

function readRequest(message: unknown): ChatRequest | undefined {
  const { type, text } = (message ?? {}) as { readonly type?: unknown; readonly text?: unknown };
  if (type === "ping") return { type };
  if (type !== "say" || typeof text !== "string") return undefined;
  const said = text.trim().slice(0, maxTextLength);
  return said === "" ? undefined : { type, text: said };
}
