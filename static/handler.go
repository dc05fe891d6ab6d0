package static

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
)

// Handler serves one folder.
type Handler struct {
	opts Options
	home string // the homepage's name below the root
	tree *tree
	zip  zipper
}

// New opens the folder.
func New(o Options) (*Handler, error) {
	t, err := openTree(o.Path)
	if err != nil {
		return nil, err
	}
	home := strings.TrimPrefix(path.Clean("/"+o.Homepage), "/")
	if home == "" {
		home = "index.html"
	}
	return &Handler{opts: o, home: home, tree: t, zip: newZipper()}, nil
}

// Close closes the folder; requests under way finish.
func (h *Handler) Close() error { return h.tree.close() }

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.general(w.Header())
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		fail(w, http.StatusMethodNotAllowed)
		return
	}
	if !h.allowed(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="Authentication service", charset="UTF-8"`)
		fail(w, http.StatusUnauthorized)
		return
	}
	h.tree.follow()
	h.find(w, r)
}

func (h *Handler) general(head http.Header) {
	head.Set("X-Content-Type-Options", "nosniff")
	if h.opts.Origin != "" {
		head.Set("Access-Control-Allow-Origin", h.opts.Origin)
		head.Set("Access-Control-Allow-Methods", "GET")
	}
}

// allowed compares digests, so that the time tells nothing, not even lengths.
func (h *Handler) allowed(r *http.Request) bool {
	if h.opts.User == "" && h.opts.Password == "" {
		return true
	}
	user, password, ok := r.BasicAuth()
	return same(user, h.opts.User)&same(password, h.opts.Password) == 1 && ok
}

func same(a, b string) int {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:])
}

func (h *Handler) find(w http.ResponseWriter, r *http.Request) {
	name, v := resolve(r.URL.Path)
	switch v {
	case forbidden:
		fail(w, http.StatusForbidden)
		return
	case hidden:
		h.missing(w, r)
		return
	}
	slash := strings.HasSuffix(r.URL.Path, "/")
	f, info, err := h.tree.open(name)
	switch {
	case err != nil:
		h.refuse(w, r, err)
		return
	case info.IsDir():
		h.folder(w, r, f, name, slash)
	case slash: // a file is no folder
		h.missing(w, r)
	default:
		h.content(w, r, f, info, name)
	}
	f.Close()
}

// folder shows the index of a folder, or what it holds.
func (h *Handler) folder(w http.ResponseWriter, r *http.Request, dir *os.File, name string, slash bool) {
	index := path.Join(name, "index.html")
	if name == "." {
		index = h.home
	}
	f, info, err := h.tree.file(index)
	if err != nil && !h.opts.Listing {
		h.refuse(w, r, err)
		return
	}
	if err == nil {
		defer f.Close()
	}
	switch {
	case !slash && r.URL.Path != "":
		redirect(w, r, name)
	case err == nil:
		h.content(w, r, f, info, index)
	default:
		h.list(w, r, dir, name)
	}
}

// redirect adds the slash that relative links in the page need. It is made of the
// cleaned name, since "//host/" would lead elsewhere.
func redirect(w http.ResponseWriter, r *http.Request, name string) {
	u := url.URL{Path: "/" + name + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Location", u.String())
	w.Header().Set("Cache-Control", "no-cache")
	w.WriteHeader(http.StatusMovedPermanently)
}

// refuse answers what could not be opened. Links that lead out of the folder look
// like files that are not there.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, fs.ErrPermission):
		fail(w, http.StatusForbidden)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable)
	default:
		h.missing(w, r)
	}
}

// missing shows the homepage of an app that routes by itself, else 404.html.
func (h *Handler) missing(w http.ResponseWriter, r *http.Request) {
	if h.opts.SPA && isPage(r) {
		if f, info, err := h.tree.file(h.home); err == nil {
			defer f.Close()
			h.content(w, r, f, info, h.home)
			return
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	f, _, err := h.tree.file("404.html")
	if err != nil {
		fail(w, http.StatusNotFound)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", typeOf("404.html"))
	w.WriteHeader(http.StatusNotFound)
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, f) // the client left
	}
}

// isPage tells a page from a file of a page: a script that is gone must not become
// HTML with status 200.
func isPage(r *http.Request) bool {
	return !strings.Contains(path.Base(r.URL.Path), ".") || strings.Contains(r.Header.Get("Accept"), "text/html")
}

func fail(w http.ResponseWriter, code int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, http.StatusText(code), code)
}
