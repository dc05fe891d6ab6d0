// Package e2e holds no code: its tests run real Node workers on the channel, the
// primary and the sockets together, under the smallest driver that can.
package e2e
