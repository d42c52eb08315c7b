import { audience, pageClient } from "./provider.ts";
import type { Account } from "./relying-party.ts";

/** The page of an application whose server signs in: it chats with tickets. With `?renew` it signs in again without a form. */
export const sessionPage = (account: Account | undefined): string =>
  chatPage(
    account === undefined
      ? `<a href="/login">Sign in</a>`
      : `<p>Signed in</p><form method="post" action="/logout"><button>Sign out</button></form>`,
    `
    let mayRenew = location.search === "?renew";
    async function open() {
      const { code, reason } = await chat("/chat", { ticket: "/ticket" });
      if (reason === "revoked") return hear("signed out"); // as the user wished, so not in again without being asked
      if (code !== 3000 || !mayRenew) return;
      mayRenew = false; // once, or who is refused all the same would ask for ever
      if (await answerInFrame("/login?prompt=none")) await open();
      else hear("not signed in");
    }
    connect.onclick = open;`,
  );

/** What the server answers to the provider's answer, in a frame or not. */
export const callbackPage = (account: Account | undefined): string => `<!doctype html><script>
  if (parent === window) location.replace("/");
  else parent.postMessage(${account !== undefined}, location.origin);
</script>`;

/** The page of an application that signs in by itself, and chats with an access token. With `?renew` it gets others without a form. */
export const tokenPage = (issuer: string): string =>
  chatPage(
    `<p id="who"></p><button id="login">Sign in</button><button id="logout">Sign out</button>`,
    `
    const issuer = ${JSON.stringify(issuer)};
    const fields = {
      client_id: ${JSON.stringify(pageClient)},
      redirect_uri: location.origin + "/page",
      resource: ${JSON.stringify(audience)},
    };
    const base64url = (bytes) =>
      btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/[+/=]/g, (sign) => ({ "+": "-", "/": "_" })[sign] ?? "");
    const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

    async function authorizationUrl(more) {
      const [state, verifier] = [random(), random()];
      sessionStorage.setItem("asked", JSON.stringify({ state, verifier, search: location.search }));
      const code_challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
      const asked = { ...fields, ...more, response_type: "code", scope: "openid chat:write", state, code_challenge };
      return issuer + "/auth?" + new URLSearchParams({ ...asked, code_challenge_method: "S256" });
    }
    async function tokenFor(search) {
      const answer = new URLSearchParams(search);
      const { state, verifier: code_verifier } = JSON.parse(sessionStorage.getItem("asked"));
      if (answer.get("state") !== state || !answer.has("code")) return undefined;
      const asked = { ...fields, grant_type: "authorization_code", code: answer.get("code"), code_verifier };
      const response = await fetch(issuer + "/token", { method: "POST", body: new URLSearchParams(asked) });
      const { access_token: token, expires_in } = await response.json();
      return { token, expiresAt: Date.now() + expires_in * 1_000 };
    }

    if (parent !== window) parent.postMessage(location.search, location.origin);
    let held;
    if (parent === window && new URLSearchParams(location.search).has("state")) {
      held = await tokenFor(location.search);
      history.replaceState(null, "", "/page" + JSON.parse(sessionStorage.getItem("asked")).search);
    }
    who.textContent = held ? "Signed in" : "";
    const renews = location.search === "?renew";
    async function token() {
      const isOver = !held || held.expiresAt - Date.now() < 60_000;
      if (renews && isOver) held = await tokenFor(await answerInFrame(await authorizationUrl({ prompt: "none" })));
      return renews ? held : held?.token;
    }
    connect.onclick = () => chat("/rooms", { token });
    login.onclick = async () => location.assign(await authorizationUrl({}));
    logout.onclick = () => {
      const { client_id, redirect_uri } = fields;
      const asked = new URLSearchParams({ client_id, post_logout_redirect_uri: redirect_uri });
      location.assign(issuer + "/session/end?" + asked);
    };`,
  );

const chatPage = (account: string, script: string): string => `<!doctype html>
<html lang="en">
<head><title>Chat</title><link rel="icon" href="data:,"></head>
<body>
  ${account}
  <button id="connect">Connect</button>
  <form id="say"><label>Message <input id="text"></label><button>Send</button></form>
  <ul id="heard"></ul>
  <script type="module">
    import { FirmSocket } from "/client.js";

    const hear = (text) => heard.append(Object.assign(document.createElement("li"), { textContent: text }));
    /** Until the client has given up. */
    const chat = (path, options) =>
      new Promise((resolve) => {
        const socket = new FirmSocket(path, [], { ...options, reconnect: { baseMs: 5 } });
        socket.onopen = () => hear("connected to " + socket.url);
        socket.onmessage = ({ data }) => hear(data);
        socket.onclose = ({ code, reason }) => {
          hear("closed with " + code + " " + reason);
          resolve({ code, reason });
        };
        say.onsubmit = (event) => {
          event.preventDefault();
          socket.send(text.value);
        };
      });
    /** What comes of a page that shows nothing. */
    const answerInFrame = (src) =>
      new Promise((resolve) => {
        const frame = Object.assign(document.createElement("iframe"), { src, hidden: true });
        addEventListener("message", function told({ source, origin, data }) {
          if (source !== frame.contentWindow || origin !== location.origin) return;
          removeEventListener("message", told);
          frame.remove();
          resolve(data);
        });
        document.body.append(frame);
      });
    ${script}
    document.body.dataset.ready = "";
  </script>
</body>
</html>
`;
