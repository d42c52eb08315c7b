import { answerIn, dial, handshakeText, type RawAnswer } from "../support/raw-client.ts";
import { passwordOf } from "./application.ts";

/** Does what the pages' forms do, where no browser is needed, and keeps cookies as one does. */
export class Visitor {
  readonly #port: number;
  readonly #cookies = new Map<string, string>();

  constructor(port: number) {
    this.#port = port;
  }

  get cookie(): string {
    return [...this.#cookies].map((pair) => pair.join("=")).join("; ");
  }

  look = (): Promise<void> => this.#ask("/", {});

  signIn = (username = "ada"): Promise<void> => {
    const body = new URLSearchParams({ username, password: passwordOf(username) });
    return this.#ask("/login", { method: "POST", body });
  };

  signOut = (): Promise<void> => this.#ask("/logout", { method: "POST" });

  async #ask(path: string, init: RequestInit): Promise<void> {
    const headers = this.#cookies.size > 0 ? { Cookie: this.cookie } : {};
    const url = `http://127.0.0.1:${this.#port}${path}`;
    const response = await fetch(url, { ...init, headers, redirect: "manual" });
    await response.text();
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || line.includes("01 Jan 1970")) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }
}

/** A handshake as the application's own page makes it. */
export const ownHandshake = (port: number, cookie: string): string =>
  handshakeText({
    headers: {
      Host: `localhost:${port}`,
      Origin: `http://localhost:${port}`,
      Cookie: cookie === "" ? undefined : cookie,
    },
  });

/** The answer to it, up to where a WebSocket would begin. */
export async function answerTo(port: number, cookie: string): Promise<RawAnswer> {
  const client = await dial(port);
  client.send(ownHandshake(port, cookie));
  const text = await Promise.race([client.until("\r\n\r\n"), client.closed]);
  client.socket.destroy();
  return answerIn(text);
}

/** The answer's status alone. */
export const statusWith = async (port: number, cookie: string): Promise<number> =>
  (await answerTo(port, cookie)).status;
