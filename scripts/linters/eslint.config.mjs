// How scripts/lint looks at the page's scripts. They are classic scripts that share one scope: what the others declare is
// known in each, and may not be declared twice. scripts/lint runs it in the top folder.
import { readFileSync, readdirSync } from "node:fs";

import js from "@eslint/js";
import * as espree from "espree";
import globals from "globals";

const FOLDER = "scripts/page";
// The libraries of scripts/page/package.json that put themselves into the scope.
const LIBRARIES = { d3: "readonly", echarts: "readonly", flamegraph: "readonly", Tabulator: "readonly" };

/** The names that a script declares for all. */
function declared(file) {
  const { body } = espree.parse(readFileSync(`${FOLDER}/${file}`, "utf8"), { ecmaVersion: 2022 });
  return body.flatMap((node) => (node.declarations ?? (node.id ? [node] : [])).map((one) => one.id.name));
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".js"));
const names = new Map(files.map((file) => [file, declared(file)]));

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "script", globals: { ...globals.browser, ...LIBRARIES } },
    rules: {
      eqeqeq: "error",
      "no-unused-vars": ["error", { vars: "local", argsIgnorePattern: "^_", caughtErrorsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
  },
  ...files.map((file) => ({
    files: [`${FOLDER}/${file}`],
    languageOptions: {
      globals: Object.fromEntries(
        files.filter((other) => other !== file).flatMap((other) => names.get(other).map((name) => [name, "readonly"])),
      ),
    },
  })),
];
