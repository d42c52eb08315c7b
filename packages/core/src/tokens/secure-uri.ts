/**
 * Whether nobody on the way can answer in another's name: TLS, or loopback. A password in the URL is refused, since `fetch` does not take it and
 * shows it in its error.
 */
export const isSecureUri = ({ protocol, hostname, username, password }: URL): boolean =>
  username === "" &&
  password === "" &&
  (protocol === "https:" || (protocol === "http:" && loopbackHosts.includes(hostname)));

const loopbackHosts: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
