import { builtinModules } from "node:module";

/**
 * The modules that compiled code, or a declaration file, asks for. Made for what `tsc` writes: one statement begins each line, and the
 * lines of a comment begin with an asterisk, so that the examples in them do not count.
 */
export function specifiersIn(code) {
  const found = [
    ...code.matchAll(/^(?:import|export)\s[^;"]*?\bfrom\s*"([^"]+)"/gm),
    ...code.matchAll(/^import\s*"([^"]+)"/gm),
    ...code.matchAll(/^(?!\s*\*).*?\bimport\(\s*"([^"]+)"\s*\)/gm),
    ...code.matchAll(/^(?!\s*\*).*?\brequire\(\s*"([^"]+)"\s*\)/gm),
  ];
  return [...new Set(found.map(([, specifier]) => specifier))];
}

/** `@firmshake/core/gate` belongs to the package `@firmshake/core`. */
export function packageOf(specifier) {
  const [first, second] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}

export function isBuiltin(specifier) {
  return specifier.startsWith("node:") || builtinModules.includes(packageOf(specifier));
}

export function isRelative(specifier) {
  return specifier.startsWith("./") || specifier.startsWith("../");
}
