/** Compiles src/ to dist/ and copies what the compiler leaves behind (pages). */
import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, rmSync, chmodSync, existsSync, writeFileSync } from "node:fs";
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
writeFileSync(join(root, "dist/build-info.json"), `${JSON.stringify(buildInfo())}\n`);
const main = join(root, "dist/cli/main.js");
if (existsSync(main)) chmodSync(main, 0o755);

/** What the metrics page says of the build: $BUILD_COMMIT and $BUILD_REF, else what git and the package know. */
function buildInfo() {
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const { BUILD_COMMIT: commit = gitCommit(), BUILD_REF: buildRef = `v${version}` } = process.env;
  return { commit, buildRef };
}

function gitCommit() {
  try {
    return execFileSync("git", ["rev-parse", "HEAD"], { cwd: root, stdio: ["ignore", "pipe", "ignore"] })
      .toString()
      .trim();
  } catch {
    return "unknown";
  }
}
