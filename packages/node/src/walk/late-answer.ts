let hasWarned = false;

/** A page, or a last handler that answers 404 to everything, stands behind the guard: the upgrade never gets through. */
export function warnOfLateAnswer(isAllowed: boolean, status: number): void {
  if (!isAllowed || hasWarned || (status >= 300 && status !== 404)) return;
  hasWarned = true;
  process.emitWarning(
    `A guard allowed an upgrade, and a handler behind it then answered with ${status}, so the client got that. Make the guard the last handler of a route of its own, as in app.get("/chat", guard(...)), or put handOver behind it: app.use(guard(...)), app.use(handOver).`,
    { code: "FIRMSHAKE_ANSWERED_BEHIND_GUARD" },
  );
}
