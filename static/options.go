package static

import (
	"net"
	"strconv"
	"time"

	"gpm/app"
)

// Options say what to serve and how.
type Options struct {
	Path     string        // the folder; a symbolic link to it may be switched while serving
	Homepage string        // what "/" shows, "/index.html" when empty
	SPA      bool          // unknown pages show the homepage, for an app that routes by itself
	Listing  bool          // folders without index.html show what they hold
	User     string        // basic authentication when User or Password is set
	Password string        //
	Origin   string        // Access-Control-Allow-Origin; "" = not sent
	MaxAge   time.Duration // how long browsers may keep what is neither a page nor named by its content; 0 = ask again
}

// FromEnv reads the variables that pm2 gives its own server: PM2_SERVE_PATH ("."),
// _PORT (8080), _HOST (all addresses), _SPA, _FTP (listing), _HOMEPAGE,
// _BASIC_AUTH, _BASIC_AUTH_USERNAME, _BASIC_AUTH_PASSWORD. The second result is
// the address to listen on.
func FromEnv(getenv func(string) string) (Options, string, error) {
	o := Options{Path: getenv("PM2_SERVE_PATH"), Homepage: getenv("PM2_SERVE_HOMEPAGE"), Origin: "*"}
	if o.Path == "" {
		o.Path = "."
	}
	port := getenv("PM2_SERVE_PORT")
	if port == "" {
		port = "8080"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return o, "", app.Errorf(app.CodeInvalid, "cannot serve on port %q: not a number from 1 to 65535", port)
	}
	auth := false
	for _, b := range []struct {
		name string
		to   *bool
	}{{"PM2_SERVE_SPA", &o.SPA}, {"PM2_SERVE_FTP", &o.Listing}, {"PM2_SERVE_BASIC_AUTH", &auth}} {
		v := getenv(b.name)
		if v == "" {
			continue
		}
		var err error
		if *b.to, err = strconv.ParseBool(v); err != nil {
			return o, "", app.Errorf(app.CodeInvalid, "cannot use %s=%q: neither true nor false", b.name, v)
		}
	}
	if auth {
		o.User, o.Password = getenv("PM2_SERVE_BASIC_AUTH_USERNAME"), getenv("PM2_SERVE_BASIC_AUTH_PASSWORD")
		if o.User == "" || o.Password == "" {
			return o, "", app.Errorf(app.CodeInvalid, "cannot protect the folder: user name or password is missing").
				WithHint("give --basic-auth-username and --basic-auth-password")
		}
	}
	return o, net.JoinHostPort(getenv("PM2_SERVE_HOST"), port), nil
}
