import type { IncomingMessage, ServerResponse } from "node:http";
import { answer, answerJson, readJson } from "../pages/handler.ts";

/** A service that knows who may come in, as an application has it somewhere in its backend. */
export interface Authorizer {
  readonly handler: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
  /** Hangs up at the next question instead of answering it. */
  readonly failOnce: () => void;
}

/** Who is known to it. */
const members: readonly string[] = ["Ada", "Grace"];
const maxQuestionBytes = 65_536;

export function createAuthorizer(): Authorizer {
  let isDown = false;
  return {
    failOnce: () => {
      isDown = true;
    },
    handler: async (request, response) => {
      const question = (await readJson(request, maxQuestionBytes)) as
        | { readonly identity?: { readonly subject?: string } }
        | undefined;
      if (isDown) {
        isDown = false;
        request.socket.destroy();
        return;
      }
      const isMember = members.includes(question?.identity?.subject ?? "");
      if (isMember) answerJson(response, { facts: { rooms: ["lobby"] } });
      else answer(response, 403);
    },
  };
}
