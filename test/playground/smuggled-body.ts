const isReadByNode = Number.parseInt(process.versions.node, 10) < 26;

/**
 * What the ungated server does with an upgrade that has a body. Up to Node 24 its bytes are read as the first messages, which ws passes on;
 * Socket.IO listens only after they have gone by.
 */
export const smuggledWithoutGate = (library: "ws" | "socket.io"): string =>
  isReadByNode && library === "ws"
    ? "101, open, body read as a message"
    : "101, open, body not read";
