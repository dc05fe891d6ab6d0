module.exports = require("./nowhere.js");
