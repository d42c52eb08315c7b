/** Remembers from where somebody was authenticated, within bounds: the oldest is forgotten first. */
export interface KnownClients {
  readonly has: (client: string) => boolean;
  readonly add: (client: string) => void;
}

export function knownClients(max: number): KnownClients {
  const clients = new Set<string>();
  return {
    has: (client) => clients.has(client),
    add: (client) => {
      clients.delete(client);
      clients.add(client);
      if (clients.size <= max) return;
      for (const oldest of clients) {
        clients.delete(oldest);
        return;
      }
    },
  };
}
