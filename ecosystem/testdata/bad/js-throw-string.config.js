throw "just words";
