
exports.a = null.b;
