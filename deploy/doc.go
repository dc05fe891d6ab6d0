// Package deploy puts a git repository onto servers, as the deploy section of an
// ecosystem file says.
//
// [Plan] turns a section and a command into scripts for sh, each to be run here or
// on a host; it touches nothing. [Runner] runs them, with the system's sh and ssh.
//
// On a server the section's path holds source (the working copy), current (a link
// to it), shared/{logs,pids}, and .deploys, one commit for each deployment.
package deploy
