/**
 * Looks at the packages as npm would get them: what is in the tarballs, what the manifests promise, who imports whom.
 *
 *     npm run check:packages
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { linesWithAny } from "./declarations.mjs";
import { isBuiltin, isRelative, packageOf, specifiersIn } from "./imports.mjs";
import { pack, publishedPackages, readJson, root } from "./pack.mjs";

/** What each package may know. Dependencies point downwards: a package that is not listed has no place in the order yet. */
const layers = {
  audit: { below: ["core"], builtins: true, budgetBytes: 275_000 },
  client: { below: [], builtins: false, budgetBytes: 40_000 },
  core: { below: [], builtins: false, budgetBytes: 290_000 },
  messages: { below: ["core"], builtins: false, budgetBytes: 55_000 },
  node: { below: ["core"], builtins: true, budgetBytes: 300_000 },
  express: { below: ["core", "node"], builtins: true, budgetBytes: 40_000, maxLines: 200 },
  koa: { below: ["core", "node"], builtins: true, budgetBytes: 40_000, maxLines: 200 },
  fastify: { below: ["core", "node"], builtins: true, budgetBytes: 40_000, maxLines: 200 },
};

/** Exactly the releases whose `require()` takes ES modules without a flag. */
const engines = "^20.19.0 || >=22.12.0";
const filesField = ["dist", "src", "!dist/.tsbuildinfo"];

const checks = {
  manifest: manifestFaults,
  versions: versionFaults,
  contents: contentFaults,
  imports: importFaults,
  size: sizeFaults,
  declarations: declarationFaults,
  "require()": requireFaults,
  publint: publintFaults,
  "are the types wrong": typeResolutionFaults,
};

const destination = mkdtempSync(join(tmpdir(), "firmshake-pack-"));
const packages = pack(publishedPackages(), destination);
let faultCount = 0;
for (const found of packages) {
  console.log(
    `${found.manifest.name} ${found.manifest.version}, ${found.packedBytes} bytes packed`,
  );
  for (const [name, check] of Object.entries(checks)) {
    const faults = await check(found);
    faultCount += faults.length;
    console.log(`  ${faults.length === 0 ? "ok    " : "FAILED"} ${name}`);
    for (const fault of faults) console.log(`         ${fault}`);
  }
}
rmSync(destination, { recursive: true });
process.exitCode = faultCount === 0 ? 0 : 1;

function manifestFaults({ name, manifest }) {
  const faults = [];
  const expect = (isRight, fault) => isRight || faults.push(fault);
  expect(manifest.name === `@firmshake/${name}`, `"name" must be @firmshake/${name}`);
  expect(manifest.type === "module", `"type" must be "module"`);
  expect(manifest.license === "MIT", `"license" must be "MIT"`);
  expect(manifest.sideEffects === false, `"sideEffects" must be false`);
  expect(manifest.engines?.node === engines, `"engines.node" must be "${engines}"`);
  expect(same(manifest.files, filesField), `"files" must be ${JSON.stringify(filesField)}`);
  expect(manifest.description?.endsWith("."), `"description" must be a sentence`);
  expect(manifest.keywords?.includes("websocket"), `"keywords" must hold "websocket"`);
  expect(manifest.publishConfig?.access === "public", `"publishConfig.access" must be "public"`);
  expect(manifest.scripts === undefined, "a published package has no scripts");
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (subpath === "./package.json") continue;
    const conditions = Object.keys(target);
    expect(
      same(conditions, ["@firmshake/source", "types", "default"]),
      `"exports" of ${subpath}: the conditions must be @firmshake/source, types, default, in this order`,
    );
  }
  return faults;
}

/** One version for the set, so that no two of them can be met that were never tested together. */
function versionFaults({ manifest }) {
  const { version } = readJson(join(root, "lerna.json"));
  const faults =
    manifest.version === version ? [] : [`"version" must be ${version}, as in lerna.json`];
  for (const [field, wanted] of [
    ["dependencies", version],
    ["peerDependencies", version],
  ]) {
    for (const [name, range] of Object.entries(manifest[field] ?? {})) {
      if (!name.startsWith("@firmshake/") || range === wanted) continue;
      faults.push(`"${field}" asks for ${name} ${range}; it must be exactly ${wanted}`);
    }
  }
  return faults;
}

function contentFaults({ name, folder, files, packedBytes }) {
  const faults = [];
  for (const needed of [
    "LICENSE",
    "README.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
  ]) {
    if (!files.includes(needed)) faults.push(`${needed} is missing`);
  }
  const expected =
    /^(?:LICENSE|README\.md|CHANGELOG\.md|package\.json|src\/.+\.ts|dist\/.+\.(?:js|d\.ts)(?:\.map)?)$/;
  for (const file of files) if (!expected.test(file)) faults.push(`${file} does not belong there`);
  for (const file of files.filter((path) => path.startsWith("dist/"))) {
    const source = file.replace(/^dist\//, "src/").replace(/(?:\.d\.ts|\.js)(?:\.map)?$/, ".ts");
    if (!files.includes(source)) faults.push(`${file} has no source: remove dist and build again`);
  }
  const licence = join(folder, "LICENSE");
  const isSameLicence =
    existsSync(licence) && readFileSync(licence).equals(readFileSync(join(root, "LICENSE")));
  if (!isSameLicence) faults.push("LICENSE must be a copy of the one at the top of the repository");
  const budget = layers[name]?.budgetBytes ?? 0;
  if (packedBytes > budget)
    faults.push(`${packedBytes} bytes packed are more than the budget of ${budget}`);
  return faults;
}

function importFaults({ name, folder, manifest }) {
  const layer = layers[name];
  if (layer === undefined) return [`packages/${name} has no place in the layers of check.mjs`];
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  return compiled(folder, /\.(?:js|d\.ts)$/).flatMap(({ path, text }) =>
    specifiersIn(text).flatMap((specifier) => {
      if (isRelative(specifier)) return [];
      if (isBuiltin(specifier)) {
        if (!layer.builtins)
          return [`${path} imports ${specifier}: it runs in every JavaScript runtime`];
        return specifier.startsWith("node:") ? [] : [`${path} imports ${specifier} without node:`];
      }
      const owner = packageOf(specifier);
      if (!Object.hasOwn(declared, owner))
        return [`${path} imports ${specifier}, which package.json lacks`];
      const [, workspace] = owner.match(/^@firmshake\/(.+)$/) ?? [];
      const isUpwards = workspace !== undefined && !layer.below.includes(workspace);
      return isUpwards ? [`${path} imports ${specifier}: dependencies point downwards`] : [];
    }),
  );
}

/** Adapters stay thin: what is true for every framework belongs to what is below. */
function sizeFaults({ name, folder, files }) {
  const { maxLines = Number.POSITIVE_INFINITY } = layers[name] ?? {};
  const sources = files.filter((file) => file.startsWith("src/"));
  const lines = sources
    .flatMap((file) => readFileSync(join(folder, file), "utf8").split("\n"))
    .filter((line) => !/^\s*(?:$|\/\/|\/\*|\*)/.test(line));
  return lines.length > maxLines
    ? [`${lines.length} lines of code in src are more than the ${maxLines} of an adapter`]
    : [];
}

function declarationFaults({ folder }) {
  return compiled(folder, /\.d\.ts$/).flatMap(({ path, text }) =>
    linesWithAny(text).map((line) => `${path}:${line} has the type any`),
  );
}

/** A top-level await anywhere below an entry is the one thing that a CommonJS `require()` cannot load. */
function requireFaults({ folder, manifest }) {
  return Object.keys(manifest.exports).flatMap((subpath) => {
    const specifier = join(manifest.name, subpath);
    const code = `require(${JSON.stringify(specifier)})`;
    const args = ["--input-type=commonjs", "--eval", code];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    const error = /^\w*Error\b.*$/m.exec(stderr)?.[0] ?? stderr;
    return status === 0 ? [] : [`${code}: ${error}`];
  });
}

async function publintFaults({ tarball }) {
  const { buffer, byteOffset, byteLength } = readFileSync(tarball);
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: buffer.slice(byteOffset, byteOffset + byteLength) },
  });
  return messages.map((message) => formatMessage(message, pkg, { color: false }));
}

/**
 * CommonJS resolves to an ES module here, which is meant (see `engines`), and the resolution of TypeScript's `node10` knows no `exports`.
 */
async function typeResolutionFaults({ tarball }) {
  const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  if (result.types === false) return ["there are no types"];
  return result.problems
    .filter(
      ({ kind, resolutionKind }) => kind !== "CJSResolvesToESM" && resolutionKind !== "node10",
    )
    .map((problem) => JSON.stringify(problem));
}

function compiled(folder, pattern) {
  const dist = join(folder, "dist");
  if (!existsSync(dist)) return [];
  return readdirSync(dist, { recursive: true })
    .filter((name) => pattern.test(name))
    .map((name) => ({ path: join("dist", name), text: readFileSync(join(dist, name), "utf8") }));
}

function same(left, right) {
  return JSON.stringify(left) === JSON.stringify(right);
}
