/**
 * The lines of a declaration file in which something has the type `any`. Comments, strings and lists of names (there is an export of
 * that name) do not count.
 */
export function linesWithAny(declarations) {
  const blank = (text) => text.replace(/[^\n]/g, " ");
  const code = declarations
    .replace(/\/\*[\s\S]*?\*\//g, blank)
    .replace(/"(?:[^"\\\n]|\\.)*"/g, blank)
    .replace(/\/\/.*$/gm, blank)
    .replace(/^(?:import|export)\s+(?:type\s+)?\{[^}]*\}/gm, blank);
  return code.split("\n").flatMap((line, index) => (anyType.test(line) ? [index + 1] : []));
}

const anyType = /(?:[:<|&,([]|=>|=|\b(?:extends|keyof|is|infer|readonly))\s*any\b(?!\s*[<(:?])/;
