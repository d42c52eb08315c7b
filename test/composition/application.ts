import type { IncomingMessage, Server } from "node:http";
import { connectionOf, type Gate, type GateOptions } from "@firmshake/node";
import type { WebSocket } from "ws";

/** Where an application is to be served, and what its gate is told. */
export interface Site {
  /** Already listening. */
  readonly server: Server;
  /** Of its own pages, which alone may open sockets. */
  readonly origin: string;
  readonly options: GateOptions;
}

/** Serves an application with a login form, and a socket at `/chat` for those who are signed in. */
export type Serve = (site: Site) => Promise<Gate>;

export const secret = "a secret of at least 32 characters";

const passwords: ReadonlyMap<unknown, string> = new Map([
  ["ada", "opensesame"],
  ["grace", "nanosecond"],
]);

export const passwordOf = (user: string): string => passwords.get(user) ?? "";

export const isPassword = (user: unknown, password: unknown): user is string =>
  passwords.has(user) && passwords.get(user) === password;

/** The name comes from what the WebSocket library was given. */
export function greet(socket: WebSocket, request: IncomingMessage): void {
  socket.send(`Welcome, ${connectionOf(request).identity?.subject}.`);
}

export const pageFor = (user: string | undefined): string => page(user ? signedIn(user) : signIn);

/** A page of somebody else that opens the socket of the given host. */
export const foreignPage = (host: string): string => page("", JSON.stringify(host));

const signIn = `<form method="post" action="/login">
    <label>Name <input name="username"></label>
    <label>Password <input name="password" type="password"></label>
    <button>Sign in</button>
  </form>`;

const signedIn = (user: string): string => `<p>Signed in as ${user}</p>
  <form method="post" action="/logout"><button>Sign out</button></form>`;

const page = (form: string, host = "location.host"): string => `<!doctype html>
<html lang="en">
<head><title>Chat</title><link rel="icon" href="data:,"></head>
<body>
  ${form}
  <button id="knock">Open a socket</button>
  <ul id="heard"></ul>
  <script>
    knock.onclick = () => {
      const hear = (text) => heard.append(Object.assign(document.createElement("li"), { textContent: text }));
      const socket = new WebSocket(\`ws://\${${host}}/chat\`);
      socket.onmessage = ({ data }) => hear(data);
      socket.onclose = ({ code }) => hear(\`closed with \${code}\`);
    };
  </script>
</body>
</html>
`;
