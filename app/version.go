package app

// Version is the version of gpm. The daemon states it in every answer, so that a command of
// another version can say so.
const Version = "0.1.0"
