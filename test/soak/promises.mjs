/** What two looks at an idle server may differ by. */
const noiseBytes = 2 * 1024 * 1024;

/** What a soak has measured, and of each whether it is as it should be. */
export function promises({ connections, told, drained, before, held, after }) {
  const heap = Math.round((held.heapUsed - before.heapUsed) / connections);
  const leftKiB = Math.round((after.heapUsed - before.heapUsed) / 1024);
  const lostBy = Object.entries(told)
    .filter(([name]) => name.startsWith("lost by "))
    .map(([name, count]) => `, ${count} ${name}`)
    .join("");
  const descriptors = after.descriptors - before.descriptors;
  return [
    {
      what: "messages",
      found: `${told.delivered} of ${told.sent} came back, ${told.renewed} of them renewals`,
      isKept: told.delivered === told.sent && told.renewed > 0,
    },
    {
      what: "legitimate connections",
      found: `${told.opened} opened, ${told.refused} refused, ${told.lost} lost${lostBy}`,
      isKept: told.refused === 0 && told.lost === 0,
    },
    {
      what: "revoked connections",
      found: `${told.revoked} closed, ${told.unrevoked} not, or let in again`,
      isKept: told.revoked > 0 && told.unrevoked === 0,
    },
    {
      what: "attacks",
      found: `${told.attacks} made, ${told.survived} answered otherwise than they deserve`,
      isKept: told.attacks > 0 && told.survived === 0,
    },
    {
      what: "drain",
      found: `${drained.open} open, ${drained.closed} closed, ${told.closedByDrain} of them heard why, ${drained.terminated} cut off`,
      isKept: drained.open === told.closedByDrain && drained.terminated === 0,
    },
    { what: "registry", found: `${after.registered} left`, isKept: after.registered === 0 },
    {
      what: "heap of a connection",
      found: `${heap} bytes, Node's and the library's included`,
      isKept: true,
    },
    {
      what: "heap left behind",
      found: `${leftKiB} KiB (noise ${noiseBytes / 1024} KiB)`,
      isKept: leftKiB * 1024 <= noiseBytes,
    },
    {
      what: "descriptors left behind",
      found: String(descriptors),
      isKept: descriptors <= 0,
    },
  ];
}
