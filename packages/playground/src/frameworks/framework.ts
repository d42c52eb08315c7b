import type { IncomingMessage, Server } from "node:http";
import type { Gate, GateOptions, Guard, guard } from "@firmshake/node";
import type { Handler } from "../pages/handler.ts";

/** What makes guards. A framework's own makes such as can be mounted in it. */
export type MakeGuard = typeof guard;

/** A framework that the application is written in. */
export interface Framework {
  /** As its people write it. */
  readonly title: string;
  readonly guard: MakeGuard;
  /** Serves the pages on a server, with a guard on each path of the policy. */
  readonly serve: (server: Server, options: FrameworkOptions) => Promise<Gate | undefined>;
}

/** What a framework is to serve. */
export interface FrameworkOptions {
  /** By path, made by the framework's own {@link Framework.guard}. */
  readonly guards: Readonly<Record<string, Guard>>;
  /** Middleware, which runs before the guards: it puts onto the request who has signed in. */
  readonly recognise: (request: IncomingMessage) => void;
  readonly pages: Handler;
  /** Without it no gate is attached: everything else is the same. */
  readonly gate: GateOptions | undefined;
}
