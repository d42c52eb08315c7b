import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

// Tests run the sources themselves: the condition is in each package's exports, so there is no build in between.
const conditions = ["@firmshake/source", "module", "node", "development|production"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.{ts,mjs}"],
    typecheck: { enabled: true, include: ["test/**/*.test-d.ts"], tsconfig: "test/tsconfig.json" },
    coverage: {
      provider: "v8",
      include: ["packages/*/src/**/*.ts"],
      exclude: ["packages/playground/**"],
      reporter: ["text-summary", "json-summary", "html"],
    },
    testTimeout: 20_000,
    // Most tests wait for sockets: on a small machine more of them go at a time than there are cores.
    maxWorkers: Math.max(3, availableParallelism()),
    // What runs concurrently mostly waits.
    maxConcurrency: 16,
  },
});
