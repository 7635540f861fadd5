/** Compiles src/ to dist/ and copies what the compiler leaves behind (pages). */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, rmSync, chmodSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const assets = /\.(html|css|js|svg|wasm)$/;

rmSync(join(root, "dist"), { recursive: true, force: true });
try {
  execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"], {
    cwd: root,
    stdio: "inherit",
  });
} catch {
  process.exit(1);
}
for (const file of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
  if (assets.test(file)) cpSync(join(root, "src", file), join(root, "dist", file));
}
const main = join(root, "dist/cli/main.js");
if (existsSync(main)) chmodSync(main, 0o755);
