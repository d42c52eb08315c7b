import { ConfigError } from "@firmshake/core";
import { type Attachable, attach } from "../attach.ts";
import type { Gate, GateOptions } from "../gate.ts";
import type { UpgradeHandler } from "../ruling.ts";
import { fulfilAttach } from "./attachment.ts";

/**
 * Puts a gate in front of a server whose upgrades walk through an application's stack.
 *
 * @param trustSetting - How the application's own setting is written that trusts proxies, where it is on. It is not used, since some of
 * its forms believe whatever the client wrote.
 */
export function attachWalk(
  server: Attachable,
  handler: UpgradeHandler,
  options: GateOptions,
  trustSetting: string | undefined,
): Gate {
  const gate = attach(server, handler, options);
  if (trustSetting !== undefined && options.trustProxy === undefined)
    warnOfUnusedTrust(trustSetting);
  fulfilAttach();
  return gate;
}

/** @throws {@link ConfigError} where `attach` was given something else than the framework's app. */
export function expectApp(framework: string, isApp: boolean): void {
  if (isApp) return;
  throw new ConfigError(
    "ERR_FIRMSHAKE_SERVER_INVALID",
    `attach: the second argument must be the ${framework} app: attach(app.listen(8080), app).`,
  );
}

/** Whoever told the app of proxies and not the gate would count all clients as one. */
export function warnOfUnusedTrust(setting: string): void {
  process.emitWarning(
    `The app has ${setting} set, and the gate was not told of any proxy: it takes the proxy for the client. Give it your proxies' addresses in its own option, trustProxy: ["10.0.0.0/8"].`,
    { code: "FIRMSHAKE_TRUST_PROXY_UNUSED" },
  );
}
