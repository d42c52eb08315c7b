/** What the ungated server does with an upgrade that has a body: up to Node 24 its bytes are read as the first message. */
export const smuggledWithoutGate: string =
  Number.parseInt(process.versions.node, 10) < 26
    ? "101, open, body read as a message"
    : "101, open, body not read";
