// Given to node -e, bun -e or deno eval after encode.js: loads the config that the last argument but one names, and
// writes one line of JSON to the descriptor or file that the last one names. Standard
// input holds {"code"} or {"error"}: the config made CommonJS in one piece, for engines that cannot read it.
const fs = require("fs"), path = require("path"), url = require("url"), Module = require("module");
const [file, target] = process.argv.slice(-2);
process.argv.splice(1, process.argv.length, file);
const exit = (process.reallyExit || process.exit).bind(process);
let said = false;
const bunNames = { BuildMessage: "SyntaxError", ResolveMessage: "Error" };

function say(reply) {
  if (said) return;
  said = true;
  const bytes = Buffer.from(reply + "\n");
  // Deno numbers descriptors in its own way, so that it needs the name of ours.
  const isNumber = /^\d+$/.test(target), name = isNumber ? "/dev/fd/" + target : target;
  const fd = isNumber && !process.versions.deno ? Number(target) : fs.openSync(name, "w");
  for (let at = 0; at < bytes.length;) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (e) {
      if (e.code !== "EAGAIN") break; // nobody reads any more
    }
  }
  exit(0);
}

function fail(thrown, what) {
  let e = thrown;
  if (e && Array.isArray(e.errors) && e.errors[0]?.position) e = e.errors[0]; // bun's several mistakes
  const isError = e !== null && typeof e === "object" && "message" in e;
  const message = what || (isError ? (e.name ? (bunNames[e.name] || e.name) + ": " : "") + e.message : "it throws " + String(e));
  const at = (isError && e.position) || {};
  const stack = isError && !said ? String(e.stack || "") : "";
  say(JSON.stringify({ error: { message, stack, file: at.file || "", line: at.line || 0, column: at.column || 0 } }));
}

process.exit = process.abort = (code) => {
  fail(new Error(), "it ends the process by itself" + (code === undefined ? "" : " (exit code " + code + ")"));
};
process.on("exit", () => fail(undefined, "it exports a promise that never settles"));
for (const event of ["uncaughtException", "unhandledRejection"]) process.on(event, report);

// A syntax error of an ES module tells its place only where node prints it itself.
function report(e) {
  const hidden = e instanceof SyntaxError && !e.position && process.release?.name === "node" && !/^(file:|\/|[A-Za-z]:).*:\d+\n/.test(String(e.stack));
  if (!hidden) return fail(e);
  said = true;
  process.removeAllListeners("uncaughtException");
  process.removeAllListeners("unhandledRejection");
  Promise.reject(e);
}

function isModule(file) {
  if (/\.m[jt]s$/.test(file)) return true;
  if (/\.c[jt]s$/.test(file)) return false;
  for (let dir = path.dirname(file); ; dir = path.dirname(dir)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, "package.json"), "utf8")).type === "module";
    } catch (e) {
      if (e.code !== "ENOENT" || dir === path.dirname(dir)) return false;
    }
  }
}

function loadBundle(bundle) {
  if (bundle.error) throw Object.assign(new SyntaxError(bundle.error.message), { position: bundle.error, name: "" });
  process.setSourceMapsEnabled?.(true);
  const module = new Module(file, null);
  module.filename = file;
  module.paths = Module._nodeModulePaths(path.dirname(file));
  module._compile(bundle.code, file);
  return module.exports;
}

async function load() {
  const bundle = JSON.parse(fs.readFileSync(0, "utf8") || "null");
  const isTypeScript = /\.[cm]?ts$/.test(file);
  const isNode = !process.versions.bun && !process.versions.deno;
  if (bundle && isTypeScript && isNode && !process.features.typescript) return loadBundle(bundle);
  if (isModule(file) || (isTypeScript && isNode)) return import(url.pathToFileURL(file).href);
  try {
    return Module.createRequire(file)(file);
  } catch (e) {
    if (e.code === "ERR_REQUIRE_ESM" || e.code === "ERR_REQUIRE_ASYNC_MODULE") return import(url.pathToFileURL(file).href);
    if (bundle && e instanceof SyntaxError && /\b(import|export|await)\b/.test(e.message)) return loadBundle(bundle);
    throw e;
  }
}

load().then(settle).then((value) => say('{"value":' + encode(value) + "}")).catch(report);
