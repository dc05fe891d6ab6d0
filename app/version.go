package app

// Version is the version of gpm. The daemon states it in every answer, so that a command of
// another version can say so.
var Version = "0.1.0" // a variable, so that the linker can set it: -X gpm/app.Version=1.2.3
