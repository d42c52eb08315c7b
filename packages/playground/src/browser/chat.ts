import type { ChatEvent, ChatLine, LibraryName, SignedIn } from "../protocol.ts";
import { byId, element } from "./dom.ts";
import { type Connection, connectTo } from "./libraries/connection.ts";

const firstRetryMs = 1_000;
const longestRetryMs = 15_000;

/** The chat: signing in, the connection, the messages. */
export function startChat(url: string, library: LibraryName): void {
  const form = byId("sign-in", HTMLFormElement);
  const nameField = byId("name", HTMLInputElement);
  const error = byId("sign-in-error", HTMLParagraphElement);
  const room = byId("room", HTMLDivElement);
  const connection = byId("connection", HTMLSpanElement);
  const present = byId("present", HTMLSpanElement);
  const log = byId("messages", HTMLDivElement);
  const lines = byId("lines", HTMLOListElement);
  const none = byId("no-messages", HTMLParagraphElement);
  const sayForm = byId("say", HTMLFormElement);
  const textField = byId("text", HTMLInputElement);
  let own = "";
  let socket: Connection | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let retryMs = firstRetryMs;

  function show(state: "out" | "in"): void {
    form.hidden = state === "in";
    room.hidden = state === "out";
  }

  function connect({ name, token }: SignedIn): void {
    own = name;
    connection.textContent = "Connecting";
    let wasOpen = false;
    const destination = { url, protocols: ["bearer", token, "chat.v1"], token };
    const opened = connectTo(library, destination, {
      onEvent: (event) => {
        wasOpen = true;
        receive(event);
      },
      onClose: () => {
        if (socket !== opened) return;
        present.textContent = "";
        connection.textContent = wasOpen
          ? "Disconnected, trying again"
          : "Refused, see the decision below";
        retry = setTimeout(() => void resume(), retryMs);
        retryMs = Math.min(retryMs * 2, longestRetryMs);
      },
    });
    socket = opened;
  }

  function receive(event: ChatEvent): void {
    if (event.type === "welcome") {
      retryMs = firstRetryMs;
      connection.textContent = `Connected as ${event.name}`;
      lines.replaceChildren();
      for (const line of event.recent) add(line);
      none.hidden = event.recent.length > 0;
    }
    if (event.type === "said") add(event.line);
    if (event.type === "present") {
      const others = event.names.filter((name) => name !== own);
      present.textContent = others.length === 0 ? "" : `with ${others.join(", ")}`;
    }
  }

  function add({ from, text, at }: ChatLine): void {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    none.hidden = true;
    lines.append(
      element(
        "li",
        from === own ? { class: "is-own" } : {},
        element("span", { class: "from" }, from),
        element("span", { class: "text" }, text),
      ),
    );
    lines.lastElementChild?.setAttribute("title", new Date(at).toLocaleTimeString());
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }

  /** By the session, where there is one: after a reload, or with a new token when the old one ran out. */
  async function resume(): Promise<void> {
    const answer = await fetch("/token", { method: "POST" }).catch(() => undefined);
    if (answer?.status === 200) {
      show("in");
      connect((await answer.json()) as SignedIn);
    } else if (answer === undefined) {
      connection.textContent = "The server is gone, trying again";
      retry = setTimeout(() => void resume(), retryMs);
      retryMs = Math.min(retryMs * 2, longestRetryMs);
    } else {
      show("out");
    }
  }

  async function signIn(): Promise<void> {
    error.textContent = "";
    const answer = await fetch("/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name: nameField.value }),
    });
    if (!answer.ok) {
      error.textContent = "Use letters, digits, spaces, dots, hyphens or apostrophes; 24 at most.";
      nameField.focus();
      return;
    }
    show("in");
    connect((await answer.json()) as SignedIn);
    textField.focus();
  }

  async function signOut(): Promise<void> {
    clearTimeout(retry);
    const left = socket;
    socket = undefined;
    left?.close();
    await fetch("/sign-out", { method: "POST" });
    lines.replaceChildren();
    show("out");
    nameField.focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void signIn();
  });
  byId("sign-out", HTMLButtonElement).addEventListener("click", () => void signOut());
  sayForm.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = textField.value.trim();
    if (text === "" || socket?.isOpen() !== true) return;
    socket.send({ type: "say", text });
    textField.value = "";
  });
  void resume();
}
