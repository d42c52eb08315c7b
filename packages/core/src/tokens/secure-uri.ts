/** Whether nobody on the way can answer in another's name: TLS, or loopback. */
export const isSecureUri = ({ protocol, hostname }: URL): boolean =>
  protocol === "https:" || (protocol === "http:" && loopbackHosts.includes(hostname));

const loopbackHosts: readonly string[] = ["localhost", "127.0.0.1", "[::1]"];
