let before;

/** What a process has spent on the work between two orders. */
export const cpuOrders = {
  begin: async () => {
    before = process.cpuUsage();
    return {};
  },
  end: async () => {
    const { user, system } = process.cpuUsage(before);
    return { microseconds: user + system };
  },
};
