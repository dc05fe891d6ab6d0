"use strict";
// Stands where `nest build` puts a microservice: it listens nowhere, and ends when it is asked to.
Object.defineProperty(exports, "__esModule", { value: true });
const timer = setInterval(() => {}, 1000);
console.log("mailer consumes", process.execArgv.join(" "));
process.on("SIGINT", () => clearInterval(timer));
