console.log("bye");
process.exit(0);
