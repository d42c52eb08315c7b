let hasWarned = false;

/** A page, or a last handler that answers 404 to everything, stands behind the guard: the upgrade never gets through. */
export function warnOfLateAnswer(permitCount: number, status: number): void {
  if (permitCount === 0 || hasWarned || (status >= 300 && status !== 404)) return;
  hasWarned = true;
  process.emitWarning(
    `A guard allowed an upgrade, and a handler behind it then answered with ${status}, so the client got that. Make the guard a route of its own, app.get("/chat", guard(...)), or put handOver behind it: app.use("/chat", guard(...), handOver).`,
    { code: "FIRMSHAKE_ANSWERED_BEHIND_GUARD" },
  );
}
