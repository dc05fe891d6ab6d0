// Package static serves a folder over HTTP, as `pm2 serve` does and better: ranges,
// conditional requests, compression, cache headers, and nothing from outside the
// folder or from its dotfiles.
//
// [New] makes the handler, [FromEnv] its options out of the variables PM2_SERVE_*,
// [Listen] finds the socket (one passed down as LISTEN_FDS, or a new one) and
// [Serve] runs it until told to stop, letting what is under way finish.
package static
