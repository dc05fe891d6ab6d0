module.exports = require("./lib/broken");
