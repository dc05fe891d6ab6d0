exports.$early = "a";
const { script } = require("./lib/cycle");
exports.apps = [{ name: "a", script }];
