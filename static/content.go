package static

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"regexp"
	"strings"
	"unicode"
)

// content answers with a file, in the encoding that fits best.
func (h *Handler) content(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo, name string) {
	head := w.Header()
	head.Set("Content-Type", typeOf(name))
	head.Set("Cache-Control", h.caching(name))
	head.Set("ETag", tag(info, ""))
	accept := parseAccept(r.Header.Get("Accept-Encoding"))
	if compressible(name) {
		head.Add("Vary", "Accept-Encoding")
		if h.precompressed(w, r, accept, info, name) {
			return
		}
		if accept["gzip"] > 0 && r.Header.Get("Range") == "" && h.zip.serve(w, r, f, info) {
			return
		}
	}
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// precompressed serves name.br, name.zst or name.gz when the client takes it and
// it is not older than the file itself.
func (h *Handler) precompressed(w http.ResponseWriter, r *http.Request, accept map[string]float64, info fs.FileInfo, name string) bool {
	for _, c := range []struct{ coding, suffix string }{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}} {
		if accept[c.coding] == 0 {
			continue
		}
		f, packed, err := h.tree.file(name + c.suffix)
		if err != nil {
			continue
		}
		defer f.Close()
		if packed.ModTime().Before(info.ModTime()) {
			continue
		}
		w.Header().Set("Content-Encoding", c.coding)
		w.Header().Set("ETag", tag(packed, "-"+c.coding))
		http.ServeContent(w, r, "", info.ModTime(), f)
		return true
	}
	return false
}

// tag is a strong validator: bytes that change keep neither size nor time.
func tag(info fs.FileInfo, variant string) string {
	return fmt.Sprintf(`"%x-%x%s"`, info.Size(), info.ModTime().UnixNano(), variant)
}

// caching lets browsers keep for ever what is named by its content, and makes
// them ask for pages again, so that a deployment shows at once.
func (h *Handler) caching(name string) string {
	who := "public"
	if h.opts.User != "" || h.opts.Password != "" {
		who = "private"
	}
	ext := path.Ext(name)
	switch {
	case ext == ".html" || ext == ".htm":
		return "no-cache"
	case named(path.Base(name)):
		return who + ", max-age=31536000, immutable"
	case h.opts.MaxAge > 0:
		return fmt.Sprintf("%s, max-age=%d", who, int(h.opts.MaxAge.Seconds()))
	}
	return "no-cache"
}

// named says whether a name holds a digest of the content, as bundlers write it:
// "app.3f2a9c1d.js", "index-B7x9aQ2k.css".
func named(base string) bool {
	m := regexp.MustCompile(`[.-]([0-9A-Za-z_]{8,64})\.[a-z0-9.]+$`).FindStringSubmatch(base)
	if m == nil || !strings.ContainsFunc(m[1], unicode.IsDigit) || !strings.ContainsFunc(m[1], unicode.IsLetter) {
		return false
	}
	hex := strings.Trim(m[1], "0123456789abcdef") == ""
	mixed := strings.ContainsFunc(m[1], unicode.IsUpper) && strings.ContainsFunc(m[1], unicode.IsLower)
	return hex || mixed
}

// typeOf is fixed for what browsers are strict about: the tables of machines
// differ, and some call a script text.
func typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := webTypes()[ext]; ok {
		return t
	}
	return systemType(ext)
}

func webTypes() map[string]string {
	return map[string]string{
		".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
		".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".cjs": "text/javascript; charset=utf-8",
		".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json",
		".txt": "text/plain; charset=utf-8", ".md": "text/markdown; charset=utf-8", ".csv": "text/csv; charset=utf-8",
		".xml": "text/xml; charset=utf-8", ".svg": "image/svg+xml", ".wasm": "application/wasm", ".ico": "image/x-icon",
		".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif",
		".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf",
		".mp4": "video/mp4", ".webm": "video/webm", ".mp3": "audio/mpeg", ".ogg": "audio/ogg", ".pdf": "application/pdf", ".zip": "application/zip",
	}
}

// compressible names the types that shrink.
func compressible(name string) bool {
	t, _, _ := strings.Cut(typeOf(name), ";")
	switch t {
	case "application/json", "application/manifest+json", "application/wasm", "image/svg+xml", "image/x-icon", "font/ttf", "font/otf":
		return true
	}
	return strings.HasPrefix(t, "text/")
}
