/** Does in this process what `startChild` asks of it by `ask`, until the one who asks is gone. */
export function takeOrders(orders) {
  process.on("message", async ({ order, details }) => {
    try {
      process.send({ result: await orders[order](details) });
    } catch (error) {
      process.send({ error: String(error?.stack ?? error) });
    }
  });
  process.on("disconnect", () => process.exit());
}
