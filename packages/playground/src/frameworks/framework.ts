import type { Server } from "node:http";
import type { Gate, GateOptions } from "@firmshake/node";
import type { Handler } from "../pages/handler.ts";
import type { Policy } from "../policy.ts";

/** A framework that the application is written in. */
export interface Framework {
  /** As its people write it. */
  readonly title: string;
  /** Serves the pages on a server, with a guard on each path of the policy. */
  readonly serve: (server: Server, options: FrameworkOptions) => Promise<Gate | undefined>;
}

/** What a framework is to serve. */
export interface FrameworkOptions {
  readonly policy: Policy;
  readonly pages: Handler;
  /** Without it no gate is attached: everything else is the same. */
  readonly gate: GateOptions | undefined;
}
