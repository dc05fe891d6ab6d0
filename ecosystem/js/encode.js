// encode turns what a config exports into JSON. What JSON cannot hold becomes {"\u0000": "what it is"},
// so that the reader can name it in a message. Also run by the built-in engine.
function encode(value) {
  const open = new Set();
  let count = 0;
  const alien = (what) => ({ "\u0000": what });
  const object = (v, depth) => {
    if (typeof v.then === "function") return alien("a promise");
    if (typeof v.toJSON === "function") return walk(v.toJSON(), depth);
    if (v instanceof RegExp) return v.source;
    if (v instanceof Map) return walk(Object.fromEntries(v), depth);
    if (v instanceof Set) return walk([...v], depth);
    if (Array.isArray(v)) return v.map((item) => walk(item, depth) ?? null);
    const out = Object.create(null);
    for (const key of Object.keys(v)) out[key] = walk(v[key], depth);
    return out;
  };
  const walk = (v, depth) => {
    if (++count > 100000) throw new RangeError("it exports more than 100000 values");
    switch (typeof v) {
      case "function": return alien("a function");
      case "symbol": return alien("a symbol");
      case "bigint": return v.toString();
      case "number": return Number.isFinite(v) ? v : alien(String(v));
      case "object": break;
      default: return v;
    }
    if (v === null) return null;
    if (open.has(v)) return alien("a reference to an object around it");
    if (depth > 56) throw new RangeError("it exports more than 56 levels");
    open.add(v);
    const out = object(v, depth + 1);
    open.delete(v);
    return out;
  };
  return JSON.stringify(walk(value, 0)) ?? "null";
}

// settle awaits what a module exports: its default if it has one, the result of a function, a promise.
async function settle(exported) {
  let v = exported;
  for (let i = 0; i < 4; i++) {
    v = await v;
    const isModule = v !== null && typeof v === "object" && (v.__esModule || v[Symbol.toStringTag] === "Module");
    if (isModule && v.default !== undefined) v = v.default;
    else if (typeof v === "function") v = v();
    else break;
  }
  return v;
}
