// Completes the package with the modules that it shares with the site, and LICENSE. `npm pack` runs it first.
//
//   node clients/javascript/build.js          in this folder
//   node clients/javascript/build.js FOLDER   a complete copy of the package in FOLDER, as npm would install it

import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(PACKAGE, "../..");
const SITE = join(ROOT, "frontend");
const IMPORT = /^(?:import|export)\s[^;]*?from "(\.[^"]+)";/gm;

const target = resolve(process.argv[2] ?? PACKAGE);
if (target !== PACKAGE) for (const name of ["package.json", "README.md", "index.js", "src"]) cpSync(join(PACKAGE, name), join(target, name), { recursive: true });

const imports = (file) => [...readFileSync(file, "utf8").matchAll(IMPORT)].map(([, path]) => resolve(dirname(file), path));
const shared = join(PACKAGE, "site");
const own = [join(PACKAGE, "index.js"), ...readdirSync(join(PACKAGE, "src")).map((name) => join(PACKAGE, "src", name))];
const left = own.flatMap(imports).filter((path) => path.startsWith(`${shared}/`)).map((path) => join(SITE, relative(shared, path)));
const copied = new Set();
rmSync(join(target, "site"), { recursive: true, force: true });
while (left.length) {
  const file = left.pop();
  if (copied.has(file)) continue;
  copied.add(file);
  const copy = join(target, "site", relative(SITE, file));
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(file, copy);
  left.push(...imports(file));
}
copyFileSync(join(ROOT, "LICENSE"), join(target, "LICENSE"));
