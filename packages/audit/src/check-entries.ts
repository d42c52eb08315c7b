import type { CheckId } from "./check-id.ts";
import type { Severity } from "./report.ts";

/** What a check says and cites. */
export interface Entry {
  readonly title: string;
  readonly severity: Severity;
  readonly isRisky?: boolean;
  readonly remedy: string;
  readonly cwe: readonly string[];
  readonly asvs?: readonly string[];
  readonly wstg?: readonly string[];
  readonly advisories?: readonly string[];
}

const originList =
  "Compare the Origin header with a list of exact origins before answering 101, and refuse everything else with 403.";
const parseOrigin =
  "Take the Origin apart into scheme, host and port and compare each with your list as a whole: no prefixes, no suffixes, no patterns made from text.";
const rfcHandshake =
  "Refuse with 400 whatever is not exactly the opening handshake of RFC 6455 §4.2.1, before any check of your own runs.";
const fixedAlgorithms =
  "Verify each token with a fixed list of algorithms that fits the key, and refuse it before looking at anything that it says.";
const crossSite = { cwe: ["CWE-1385"], asvs: ["4.4.2"] };
const rebinding = {
  cwe: ["CWE-350"],
  asvs: ["4.4.2"],
  wstg: ["WSTG-CLNT-10", "WSTG-INPV-17"],
};
const malformed = { cwe: ["CWE-20"], asvs: ["4.2.1"], wstg: ["WSTG-CLNT-10", "WSTG-INPV-15"] };
const authentication = {
  cwe: ["CWE-306"],
  asvs: ["4.4.3", "4.4.4"],
  wstg: ["WSTG-CLNT-10", "WSTG-ATHN-04"],
};
const tokens = { cwe: ["CWE-347"], wstg: ["WSTG-SESS-10"] };
const sessions = { wstg: ["WSTG-SESS-06", "WSTG-SESS-07"] };
const limits = { cwe: ["CWE-770"], asvs: ["2.4.1", "15.2.2"], wstg: ["WSTG-BUSL-05"] };
const forwarded = { cwe: ["CWE-348"], asvs: ["4.1.3", "15.3.4"], wstg: ["WSTG-CLNT-10"] };
const errorPaths = { cwe: ["CWE-248"], asvs: ["16.5.3"], wstg: ["WSTG-ERRH-01"] };

/** The words and references of each check. */
export const checkEntries: Readonly<Record<CheckId, Entry>> = {
  "WS-ORIGIN-1": {
    title: "A page of any origin can connect",
    severity: "high",
    remedy: originList,
    ...crossSite,
    advisories: [
      "CVE-2025-24010",
      "CVE-2025-24964",
      "CVE-2018-14732",
      "CVE-2026-27148",
      "CVE-2024-23898",
    ],
  },
  "WS-ORIGIN-2": {
    title: "The opaque origin null can connect",
    severity: "high",
    remedy:
      "Treat null as an origin that is not on the list: any page can send it from a sandboxed frame.",
    ...crossSite,
    advisories: ["CVE-2026-27977"],
  },
  "WS-ORIGIN-3": {
    title: "Clients without an Origin can connect",
    severity: "info",
    remedy:
      "Decide on purpose: refuse handshakes without Origin where only browsers connect; where other clients do, ask them for a token.",
    ...crossSite,
  },
  "WS-ORIGIN-4": {
    title: "Pages served from an IP address can connect",
    severity: "high",
    remedy: `${originList} Make no exception for origins that are IP addresses.`,
    ...crossSite,
    advisories: ["CVE-2025-30360"],
  },
  "WS-ORIGIN-5": {
    title: "The scheme or the port of the Origin is not compared",
    severity: "medium",
    remedy:
      "Compare scheme, host and port, with the default ports filled in: an http page is written by whoever sits on the network, and another port is another program.",
    ...crossSite,
    advisories: ["JLSEC-2026-614"],
  },
  "WS-ORIGIN-6": {
    title: "Pages of a sister subdomain can connect",
    severity: "medium",
    remedy:
      "List the exact hosts. A subdomain that was taken over, or shows what users upload, gets cookies as your own pages do, SameSite or not.",
    ...crossSite,
    advisories: ["CVE-2024-26135", "GHSA-frjg-g767-7363"],
  },
  "WS-ORIGIN-7": {
    title: "An Origin that only looks like yours can connect",
    severity: "high",
    remedy: parseOrigin,
    cwe: ["CWE-1385", "CWE-777"],
    asvs: ["4.4.2"],
    advisories: ["CVE-2022-42975", "CVE-2026-40110", "WS-2020-0443"],
  },
  "WS-ORIGIN-8": {
    title: "Two Origins, or a malformed one, can connect",
    severity: "low",
    isRisky: true,
    remedy:
      "Refuse a handshake with more than one Origin line, and an Origin that is not the exact text that browsers write.",
    ...crossSite,
  },
  "WS-ORIGIN-9": {
    title: "Another path of the server lets in any origin",
    severity: "high",
    remedy: "Guard all upgrades of the server before routing, and refuse paths that nobody serves.",
    ...crossSite,
    advisories: ["CVE-2026-112085", "CVE-2026-39987", "CVE-2026-59428"],
  },
  "WS-ORIGIN-10": {
    title: "A foreign origin is refused only after 101",
    severity: "low",
    remedy:
      "Refuse in the handshake: what is answered 101 has a connection, has started the application's work, and may be sent data before it is closed.",
    ...crossSite,
  },
  "WS-HOST-1": {
    title: "A foreign host name is served (DNS rebinding)",
    severity: "high",
    remedy:
      "Compare the Host header with a list of your own names: an attacker's name that resolves to this address makes Origin and Host agree.",
    ...rebinding,
    advisories: ["CVE-2018-7160", "CVE-2025-66414", "CVE-2026-59950"],
  },
  "WS-HOST-2": {
    title: "Odd spellings of addresses pass as hosts",
    severity: "medium",
    isRisky: true,
    remedy:
      "Accept addresses in their canonical spelling alone; everything else is a name, and has to be on the list.",
    ...rebinding,
    advisories: ["CVE-2021-22884", "CVE-2022-32212", "CVE-2022-43548"],
  },
  "WS-HOST-3": {
    title: "Handshakes with two Hosts or none are accepted",
    severity: "low",
    remedy: rfcHandshake,
    ...rebinding,
  },
  "WS-HS-1": {
    title: "A wrong method or version is accepted",
    severity: "low",
    remedy: rfcHandshake,
    ...malformed,
  },
  "WS-HS-2": {
    title: "A bad Sec-WebSocket-Key is accepted",
    severity: "low",
    remedy: rfcHandshake,
    ...malformed,
  },
  "WS-HS-3": {
    title: "A malformed header ends the process",
    severity: "high",
    isRisky: true,
    remedy:
      "Update the library, and treat an exception in a check as a refusal: nothing that a client sends may throw out of the upgrade listener.",
    ...errorPaths,
    advisories: ["CVE-2026-14631"],
  },
  "WS-HS-4": {
    title: "The target of the request decides where the server connects to",
    severity: "high",
    remedy:
      "Refuse targets that are not a plain path, and never parse the request's target with a base URL and then use its host.",
    cwe: ["CWE-918"],
    asvs: ["1.3.6"],
    wstg: ["WSTG-INPV-19"],
    advisories: ["CVE-2026-44578"],
  },
  "WS-HS-5": {
    title: "An upgrade with a body is accepted",
    severity: "medium",
    remedy:
      "Refuse upgrades with Content-Length or Transfer-Encoding: the body is handed to the frame parser, and proxies disagree about where it ends.",
    cwe: ["CWE-444"],
    asvs: ["4.2.1"],
    wstg: ["WSTG-INPV-15"],
  },
  "WS-HS-6": {
    title: "The connection stays usable after a refused upgrade",
    severity: "medium",
    remedy:
      "Answer refusals with Connection: close and end the socket: a proxy that believes in the upgrade would tunnel the client's next requests unseen.",
    cwe: ["CWE-444"],
    asvs: ["4.2.1"],
    wstg: ["WSTG-INPV-15"],
    advisories: ["CVE-2018-1002105"],
  },
  "WS-HS-7": {
    title: "A flood of header lines ends the process, or passes",
    severity: "low",
    isRisky: true,
    remedy:
      "Update ws, and count the header lines before anything looks at them: Node drops those past about 1,000 silently.",
    cwe: ["CWE-476", "CWE-770"],
    asvs: ["15.2.2", "16.5.3"],
    wstg: ["WSTG-CLNT-10"],
    advisories: ["CVE-2024-37890"],
  },
  "WS-HS-8": {
    title: "Long header values take very long to answer",
    severity: "medium",
    isRisky: true,
    remedy: "Update the library, and bound the length of header values before parsing them.",
    cwe: ["CWE-1333"],
    asvs: ["15.2.2"],
    wstg: ["WSTG-CLNT-10"],
    advisories: ["CVE-2021-32640", "CVE-2020-7662", "CVE-2020-7663"],
  },
  "WS-HS-9": {
    title: "A half-sent handshake is kept for ever",
    severity: "low",
    remedy:
      "Set headersTimeout on the server, and a deadline of your own once the upgrade has begun.",
    cwe: ["CWE-400", "CWE-770"],
    asvs: ["15.2.2"],
    wstg: ["WSTG-CLNT-10"],
  },
  "WS-HS-10": {
    title: "A refused upgrade is left hanging",
    severity: "medium",
    remedy:
      "Answer each refusal and end the socket. No timeout of Node's server runs once an upgrade has begun, so each one that nobody answers holds a descriptor for ever. Name the paths that are served, so that there is none which nobody answers at.",
    cwe: ["CWE-772"],
    asvs: ["15.2.2"],
    wstg: ["WSTG-CLNT-10"],
  },
  "WS-HS-11": {
    title: "Upgrade tokens other than websocket are honoured",
    severity: "medium",
    remedy: "Accept Upgrade: websocket alone, and let no proxy pass h2c on.",
    cwe: ["CWE-444"],
    asvs: ["4.2.1"],
    wstg: ["WSTG-INPV-15"],
  },
  "WS-HS-12": {
    title: "WebSockets over HTTP/2 are not guarded",
    severity: "high",
    remedy:
      "Guard extended CONNECT (RFC 8441) as you guard the upgrade, or do not offer it: no upgrade event fires for it.",
    ...crossSite,
    advisories: ["CPANSA-Punk-2026-104380"],
  },
  "WS-TLS-1": {
    title: "WebSockets are accepted without TLS",
    severity: "medium",
    remedy: "Accept wss alone: refuse or do not serve ws on every port that the network can reach.",
    cwe: ["CWE-319"],
    asvs: ["4.4.1", "12.2.1"],
    wstg: ["WSTG-CRYP-01", "WSTG-CLNT-10"],
  },
  "WS-TLS-2": {
    title: "The certificate or the TLS versions are not in order",
    severity: "medium",
    remedy:
      "Serve the whole chain of a certificate that names the host, renew it in time, and speak TLS 1.2 and newer alone.",
    cwe: ["CWE-295", "CWE-326"],
    asvs: ["12.1.1", "12.2.2"],
    wstg: ["WSTG-CRYP-01"],
  },
  "WS-TLS-3": {
    title: "A header that clients can send turns the demand for TLS off",
    severity: "high",
    remedy:
      "Believe X-Forwarded-Proto and Forwarded only from the addresses of your own proxies, and have those overwrite them.",
    cwe: ["CWE-348", "CWE-319"],
    asvs: ["4.1.3", "4.4.1"],
    wstg: ["WSTG-CRYP-01"],
  },
  "WS-AUTH-1": {
    title: "No credential is needed",
    severity: "high",
    remedy: "Authenticate in the handshake and refuse with 401, on every path that takes upgrades.",
    ...authentication,
    advisories: ["CVE-2026-39987", "CVE-2024-28179", "CVE-2026-71319"],
  },
  "WS-AUTH-2": {
    title: "Any credential is accepted",
    severity: "critical",
    remedy: "Verify the credential, not its presence, before answering 101.",
    cwe: ["CWE-287"],
    asvs: ["4.4.3", "4.4.4"],
    wstg: ["WSTG-CLNT-10", "WSTG-ATHN-04"],
    advisories: ["CVE-2026-28472"],
  },
  "WS-AUTH-3": {
    title: "The credential is in the query",
    severity: "low",
    remedy:
      "Queries end up in logs, histories and proxies. Use a cookie with an origin check, a header, a subprotocol, or a ticket for one use that lives for seconds.",
    cwe: ["CWE-598"],
    asvs: ["14.2.1"],
    wstg: ["WSTG-SESS-04"],
  },
  "WS-AUTH-4": {
    title: "The token in the subprotocol comes back in the answer",
    severity: "low",
    remedy:
      "Have clients offer a fixed subprotocol beside the token, and answer with the fixed one: answers are logged.",
    cwe: ["CWE-532"],
    asvs: ["16.2.5"],
    wstg: ["WSTG-SESS-04"],
  },
  "WS-AUTH-5": {
    title: "A ticket can be used more than once",
    severity: "high",
    remedy: "Take the ticket out of the store in one atomic step, such as GETDEL of Redis.",
    cwe: ["CWE-294", "CWE-367"],
    asvs: ["4.4.3", "15.4.2"],
    wstg: ["WSTG-SESS-01"],
  },
  "WS-AUTH-6": {
    title: "Sockets that never authenticate are kept",
    severity: "medium",
    remedy: "Close sockets whose first message has not authenticated them within a few seconds.",
    cwe: ["CWE-770"],
    asvs: ["4.4.3", "7.3.1"],
    wstg: ["WSTG-CLNT-10"],
  },
  "WS-JWT-1": {
    title: "A token with a changed, stripped or absent signature is accepted",
    severity: "critical",
    remedy: fixedAlgorithms,
    ...tokens,
    asvs: ["9.1.1", "9.1.2"],
    advisories: ["CVE-2026-35042", "CVE-2026-107723"],
  },
  "WS-JWT-2": {
    title: "The public key is taken for a shared secret",
    severity: "critical",
    remedy: `${fixedAlgorithms} A key has one type: a public key never verifies HS256.`,
    ...tokens,
    asvs: ["9.1.2", "9.1.3"],
    advisories: ["CVE-2023-48223", "CVE-2026-34950", "CVE-2026-107722"],
  },
  "WS-JWT-3": {
    title: "An expired token, or one of another audience or issuer, is accepted",
    severity: "high",
    remedy: "Require exp, and compare issuer and audience with what you expect.",
    cwe: ["CWE-613", "CWE-345"],
    asvs: ["9.2.1", "9.2.2", "9.2.3"],
    wstg: ["WSTG-SESS-10"],
  },
  "WS-JWT-4": {
    title: "The token brings its own key",
    severity: "critical",
    remedy: "Take keys from the places you configured, and ignore jku, x5u, jwk and x5c of tokens.",
    cwe: ["CWE-347", "CWE-918"],
    asvs: ["9.1.3"],
    wstg: ["WSTG-SESS-10"],
  },
  "WS-JWT-5": {
    title: "A token in another spelling is accepted",
    severity: "medium",
    remedy:
      "Refuse tokens that are not canonical base64url, and remember revoked ones by jti, never by their text.",
    cwe: ["CWE-694", "CWE-613"],
    asvs: ["7.4.1", "9.1.1"],
    wstg: ["WSTG-SESS-10"],
  },
  "WS-LIFE-1": {
    title: "The connection outlives its token",
    severity: "high",
    remedy: "Close each connection when the token that opened it expires.",
    cwe: ["CWE-613"],
    asvs: ["7.3.2", "9.2.1"],
    ...sessions,
    advisories: ["GHSA-4hv6-xc92-j86g"],
  },
  "WS-LIFE-2": {
    title: "The connection outlives the logout",
    severity: "high",
    remedy: "Keep a registry of connections by user and session, and close them at logout.",
    cwe: ["CWE-613"],
    asvs: ["7.4.1"],
    ...sessions,
    advisories: ["GHSA-4hv6-xc92-j86g", "GO-2024-3006"],
  },
  "WS-LIFE-3": {
    title: "The credential opens new connections after the logout",
    severity: "high",
    remedy:
      "Ask the session's state at the server in each handshake, or keep a list of revoked tokens.",
    cwe: ["CWE-613"],
    asvs: ["7.4.1"],
    ...sessions,
    advisories: ["GHSA-4hv6-xc92-j86g"],
  },
  "WS-LIFE-4": {
    title: "An idle connection is kept without limit",
    severity: "info",
    remedy:
      "Close connections that have been idle too long, and all of them after an absolute time.",
    cwe: ["CWE-613"],
    asvs: ["7.3.1", "7.3.2"],
    wstg: ["WSTG-SESS-07"],
  },
  "WS-RATE-1": {
    title: "Handshakes are not limited",
    severity: "medium",
    remedy: "Limit handshakes by address and by user, and refuse with 429.",
    ...limits,
  },
  "WS-RATE-2": {
    title: "Open connections are not limited",
    severity: "medium",
    remedy: "Limit the connections that one user and one address hold.",
    ...limits,
  },
  "WS-RATE-3": {
    title: "Messages are not limited",
    severity: "low",
    remedy: "Limit the messages of a connection, and close it with 1008 beyond that.",
    ...limits,
  },
  "WS-PROXY-1": {
    title: "A forwarding header gets around the rate limit",
    severity: "high",
    remedy:
      "Find the client's address by walking X-Forwarded-For from the right through the addresses of your own proxies; never take the leftmost entry.",
    ...forwarded,
    advisories: ["CVE-2026-110724", "CVE-2026-108162", "CVE-2026-90711"],
  },
  "WS-PROXY-2": {
    title: "A forwarding header gets around address rules",
    severity: "high",
    remedy: "Believe forwarding headers only from the addresses of your own proxies.",
    ...forwarded,
    advisories: ["CVE-2026-29613", "CVE-2026-90711"],
  },
  "WS-FRAME-1": {
    title: "Unmasked frames are accepted",
    severity: "medium",
    isRisky: true,
    remedy: "Update the library: RFC 6455 §5.1 demands that the connection be closed.",
    ...malformed,
  },
  "WS-FRAME-2": {
    title: "The size of messages is not limited",
    severity: "medium",
    isRisky: true,
    remedy:
      "Set the library's limit (maxPayload, maxHttpBufferSize) to what your messages need, 64 KiB for most, and refuse by the announced length.",
    ...limits,
    advisories: ["CVE-2016-10542", "CVE-2020-27813", "CVE-2020-13935"],
  },
  "WS-FRAME-3": {
    title: "A malformed frame ends the process",
    severity: "high",
    isRisky: true,
    remedy: "Listen to the error event of every socket object, and update the library.",
    ...errorPaths,
    advisories: ["CVE-2022-39386", "CVE-2023-22477"],
  },
  "WS-FRAME-4": {
    title: "A message of endless fragments is accepted",
    severity: "medium",
    isRisky: true,
    remedy: "Update to ws 8.21.1 or newer, or count the fragments of a message.",
    ...limits,
    advisories: ["CVE-2026-48779", "CVE-2026-62389", "CVE-2014-0193"],
  },
  "WS-FRAME-5": {
    title: "A flood of pings is answered without limit",
    severity: "low",
    isRisky: true,
    remedy: "Count control frames, and close connections whose peer does not read what it is sent.",
    ...limits,
  },
  "WS-FRAME-6": {
    title: "Compressed messages are inflated",
    severity: "low",
    remedy: "Leave compression off where it is not needed; where it is, limit the inflated size.",
    cwe: ["CWE-409"],
    asvs: ["15.2.2"],
    wstg: ["WSTG-CLNT-10"],
    advisories: ["CVE-2018-1000518", "CVE-2026-1526"],
  },
  "WS-INFO-1": {
    title: "Refusals tell too much",
    severity: "low",
    remedy: "Give one answer to every failed authentication, without reasons, traces or versions.",
    cwe: ["CWE-209", "CWE-204"],
    asvs: ["16.5.1"],
    wstg: ["WSTG-ERRH-01"],
  },
  "WS-INFO-2": {
    title: "The server tells its software and version",
    severity: "info",
    remedy:
      "Leave out Server and X-Powered-By, or at least the versions in them. Which holes that version has is not looked up: distributions mend without a new number, and WebSocket libraries do not say theirs, so that a match would claim what was not seen.",
    cwe: ["CWE-200"],
    asvs: ["13.4.6"],
    wstg: ["WSTG-INFO-02"],
  },
  "WS-INFO-3": {
    title: "Data is sent before authentication",
    severity: "high",
    remedy: "Send nothing on a connection before both its origin and its user have been checked.",
    cwe: ["CWE-200", "CWE-306"],
    asvs: ["4.4.2", "4.4.3"],
    wstg: ["WSTG-CLNT-10"],
  },
};
