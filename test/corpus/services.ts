import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AnswerWords } from "./answer-words.ts";
import type { AuthenticationWords, PolicyWords } from "./policy-words.ts";
import { filled, timeOrRepeat } from "./stand-ins.ts";

/** The services that a policy asks, on loopback. */
export interface Services {
  /** Where the one is that answers so. */
  readonly originOf: (answer: AnswerWords) => string;
  /** What is wrong besides the decision. */
  readonly complaints: () => readonly string[];
  readonly close: () => Promise<void>;
}

/** Starts a real server for each answer that the policy has words for. */
export async function startServices(policy: PolicyWords): Promise<Services> {
  const complaints: string[] = [];
  const complain = (): void => void complaints.push("a service led elsewhere, and was followed");
  const servers: Server[] = [];
  const origins = new Map<AnswerWords, string>();
  for (const answer of answersIn(policy)) {
    const server = createServer((request, response) => reply(answer, request, response, complain));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    origins.set(answer, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    if (answer.fails === "down") await closed(server);
    else servers.push(server);
  }
  return {
    originOf: (answer) => origins.get(answer) ?? "",
    complaints: () => complaints,
    close: async () => void (await Promise.all(servers.map(closed))),
  };
}

function answersIn(policy: PolicyWords): readonly AnswerWords[] {
  const ways: readonly Partial<AuthenticationWords>[] = [policy, ...(policy.any ?? [])];
  return ways
    .flatMap(({ jwt, introspection, authorize }) => [
      typeof jwt === "string" ? undefined : jwt?.metadata,
      introspection?.answer,
      introspection?.metadata,
      authorize?.answer,
    ])
    .filter((answer) => answer !== undefined);
}

function reply(
  answer: AnswerWords,
  request: IncomingMessage,
  response: ServerResponse,
  complain: () => void,
): void {
  request.resume();
  if (request.url === "/elsewhere") {
    complain();
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(meant(answer.elsewhere ?? {}, request)));
    return;
  }
  if (answer.fails === "silent") return;
  response.statusCode = answer.status ?? 200;
  response.setHeader("Content-Type", "application/json");
  for (const [name, value] of answer.headers ?? []) response.setHeader(name, value);
  const body = bodyOf(answer, request);
  if (answer.fails === "cut") {
    response.setHeader("Content-Length", Buffer.byteLength(body) + 1);
    response.write(body, () => response.destroy());
  } else {
    response.end(body);
  }
}

function bodyOf({ json, text }: AnswerWords, request: IncomingMessage): string {
  if (text !== undefined) return withRepeats(String(meant(text, request)));
  return json === undefined ? "" : JSON.stringify(meant(json, request));
}

/** `{repeat:a:200}` is two hundred of that sign. */
const withRepeats = (text: string): string =>
  text.replaceAll(/\{repeat:(.):(\d+)\}/g, (_, sign: string, count: string) =>
    sign.repeat(Number(count)),
  );

/** `@here` at the start of a text is the service's own origin. */
const meant = (value: unknown, { headers }: IncomingMessage): unknown =>
  filled(value, (text) =>
    text.startsWith("@here")
      ? `http://${headers.host}${text.slice("@here".length)}`
      : timeOrRepeat(text, Math.floor(Date.now() / 1_000)),
  );

async function closed(server: Server): Promise<void> {
  const end = once(server, "close");
  server.close();
  server.closeAllConnections();
  await end;
}
