const x = require("no-such-package");
module.exports = [];
