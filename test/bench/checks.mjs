import {
  address,
  guard,
  host,
  insecureAnyOrigin,
  jwt,
  origin,
  rateLimit,
  secure,
  subprotocol,
  trustedProxies,
} from "@firmshake/core";
import { createHandshake } from "@firmshake/core/gate";
import { quartilesOf } from "./quartiles.mjs";
import { handshakeBytes, makeKeys, makeToken, site } from "./requests.mjs";

const rounds = 31;
const roundMs = 10;

/**
 * Prints what one decision costs in a process that does nothing else: the handshake's view is made anew for each, as a gate does. Hot
 * loops flatter everything; in a server that talks to the network the same code takes several times as long.
 */
export async function measureChecks() {
  const keys = makeKeys();
  const secret = new TextEncoder().encode(keys.secret);
  const token = { issuer: site.issuer, audience: site.audience };
  const hs256 = makeToken(keys, "HS256");
  const es256 = makeToken(keys, "ES256");
  const cache = { maxTokens: 100 };
  const open = [insecureAnyOrigin(), host(["app.example.com"])];
  const withToken = (text) => ({ request: handshakeBytes(site.origin, text) });
  const proxied = {
    request: handshakeBytes(site.origin).replace(
      "\r\n\r\n",
      "\r\nX-Forwarded-For: 203.0.113.7, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\r\n",
    ),
    trust: trustedProxies({ proxies: ["private", "192.0.2.0/24"], header: "x-forwarded-for" }),
  };
  const usual = [
    origin([site.origin]),
    address({ deny: ["10.0.0.0/8"] }),
    rateLimit({ limit: 1e9, windowMs: 1000 }),
  ];

  const rows = [
    ["the view of the request alone", undefined],
    ["handshake by the letter, no origin rule", guard(...open)],
    ["origin, exact", guard(origin([site.origin]))],
    ["origin, wildcard", guard(origin(["https://*.example.com"]))],
    ["origin, same-origin", guard(origin("same-origin"))],
    ["origin, refused", guard(origin(["https://other.example"]))],
    [
      "address, 3 blocks",
      guard(...open, address({ deny: ["10.0.0.0/8", "172.16.0.0/12", "2001:db8::/32"] })),
    ],
    ["address behind a trusted proxy", guard(...open, address({ deny: ["10.0.0.0/8"] })), proxied],
    ["secure behind a trusted proxy", guard(...open, secure()), proxied],
    ["subprotocol, none offered", guard(...open, subprotocol(["chat.v1"], { required: false }))],
    ["rateLimit in memory", guard(...open, rateLimit({ limit: 1e9, windowMs: 1000 }))],
    ["rateLimit in memory, refused", guard(...open, rateLimit({ limit: 1, windowMs: 1e9 }))],
    [
      "jwt HS256, remembered",
      guard(...open, jwt({ ...token, keys: secret, cache })),
      withToken(hs256),
    ],
    ["jwt HS256", guard(...open, jwt({ ...token, keys: secret })), withToken(hs256)],
    [
      "jwt ES256",
      guard(...open, jwt({ ...token, keys: keys.forServers.publicJwk })),
      withToken(es256),
    ],
    ["origin + address + rateLimit", guard(...usual)],
    [
      "origin + address + rateLimit + jwt, remembered",
      guard(...usual, jwt({ ...token, keys: secret, cache })),
      withToken(hs256),
    ],
  ];

  console.log(
    `Node ${process.version}. One decision, hot, without a network: median of ${rounds} rounds, [quartiles].`,
  );
  const subjects = [];
  for (const [label, subject, options = {}] of rows) {
    const run = decider(subject, options);
    const nanoseconds = await timed(run, 10_000);
    subjects.push({ label, run, times: [], count: Math.ceil((roundMs * 1e6) / nanoseconds) });
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? subjects : subjects.toReversed();
    for (const { run, times, count } of order) times.push(await timed(run, count));
  }
  for (const { label, times } of subjects) {
    const [low, middle, high] = quartilesOf(times).map((time) => time.toFixed(0));
    console.log(`  ${label.padEnd(48)} ${middle.padStart(7)} ns  [${low}, ${high}]`);
  }
}

/** Nanoseconds for one of `count` calls. A decision that is there at once is not waited for. */
async function timed(run, count) {
  const startedAt = performance.now();
  for (let index = 0; index < count; index++) {
    const verdict = run();
    if (typeof verdict?.then === "function") await verdict;
  }
  return ((performance.now() - startedAt) * 1e6) / count;
}

function decider(subject, { request = handshakeBytes(site.origin), trust }) {
  const [requestLine, ...lines] = request.split("\r\n").slice(0, -2);
  const [method, target] = requestLine.split(" ");
  const headerLines = lines.flatMap((line) => {
    const colon = line.indexOf(": ");
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  const peer = trust === undefined ? "198.51.100.20" : "10.0.0.1";
  const source = {
    method,
    target,
    httpVersion: "1.1",
    headerLines,
    maxHeaderLines: 1_000,
    showsConnectionHeader: true,
    peerAddress: () => peer,
    tls: () => undefined,
    signal: () => new AbortController().signal,
  };
  if (subject === undefined) return () => createHandshake(source, trust);
  return () => subject.decide(createHandshake(source, trust));
}
