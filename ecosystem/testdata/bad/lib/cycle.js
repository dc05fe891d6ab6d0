const config = require("../js-cyclic-require.config.js");
exports.script = config.script;
