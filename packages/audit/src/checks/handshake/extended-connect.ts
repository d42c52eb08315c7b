import { type ClientHttp2Session, connect } from "node:http2";
import { isIP } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { type Check, failed, inconclusive, passed } from "../../check.ts";
import type { Run } from "../../run.ts";
import { evilOrigin, fromPage } from "../origin/foreign-page.ts";

export const extendedConnect: Check = {
  id: "WS-HS-12",
  skipsBecause: ({ target }) =>
    target.isTls ? undefined : "Browsers speak HTTP/2 over TLS alone, and the target is plain ws.",
  run: async (run) => {
    const socket = await connectForHttp2(run);
    if (socket === undefined) return passed("The server does not offer HTTP/2.");
    const session = connect(`https://${run.own.host}`, { createConnection: () => socket });
    session.on("error", () => undefined);
    try {
      const isOffered = await offersExtendedConnect(session, run.limits.answerMs);
      if (!isOffered) return passed("The server offers HTTP/2, without WebSockets over it.");
      const status = await statusFor(session, run);
      const evidence = [
        {
          probe: `Extended CONNECT from ${evilOrigin}`,
          observation: status === undefined ? "not answered" : `:status ${status}`,
        },
      ];
      if (status === 200) {
        return failed(`A page of ${evilOrigin} was let in over HTTP/2.`, evidence);
      }
      return status === undefined
        ? inconclusive("The stream was neither accepted nor refused.", evidence)
        : passed("A foreign page was refused over HTTP/2.", evidence);
    } finally {
      session.destroy();
      socket.destroy();
    }
  },
};

function connectForHttp2({ route, budget, limits }: Run): Promise<TLSSocket | undefined> {
  budget.spendHandshake();
  return new Promise((resolve) => {
    const socket = connectTls({
      host: route.address,
      port: route.port,
      rejectUnauthorized: false,
      ALPNProtocols: ["h2"],
      timeout: limits.answerMs,
      ...(isIP(route.hostname) === 0 && { servername: route.hostname }),
    });
    const giveUp = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.on("error", giveUp);
    socket.on("timeout", giveUp);
    budget.signal.addEventListener("abort", giveUp, { once: true });
    socket.once("secureConnect", () => {
      if (socket.alpnProtocol === "h2") resolve(socket);
      else giveUp();
    });
  });
}

function offersExtendedConnect(session: ClientHttp2Session, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs);
    const settle = (isOffered: boolean): void => {
      clearTimeout(timer);
      resolve(isOffered);
    };
    session.once("remoteSettings", ({ enableConnectProtocol }) =>
      settle(enableConnectProtocol === true),
    );
    session.once("close", () => settle(false));
  });
}

function statusFor(session: ClientHttp2Session, run: Run): Promise<number | undefined> {
  const { credentials } = fromPage(evilOrigin);
  const dress = run.credentials.dress(credentials === "ambient" ? "ambient" : "none");
  return new Promise((resolve) => {
    const stream = session.request({
      ":method": "CONNECT",
      ":protocol": "websocket",
      ":scheme": "https",
      ":authority": run.own.host,
      ":path": dress.path,
      "sec-websocket-version": "13",
      origin: evilOrigin,
      ...Object.fromEntries(dress.lines.map(([name, value]) => [name.toLowerCase(), value])),
    });
    const timer = setTimeout(() => settle(undefined), run.limits.answerMs);
    const settle = (status: number | undefined): void => {
      clearTimeout(timer);
      stream.destroy();
      resolve(status);
    };
    stream.on("error", () => settle(undefined));
    stream.once("close", () => settle(undefined));
    stream.once("response", (headers) => settle(headers[":status"]));
  });
}
