package static

import (
	"cmp"
	"errors"
	"fmt"
	"html"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
)

// maxEntries bounds a listing; a folder with more is no page to read.
const maxEntries = 10_000

// list shows what a folder holds, dotfiles left out, folders first.
func (h *Handler) list(w http.ResponseWriter, r *http.Request, dir *os.File, name string) {
	entries, err := dir.ReadDir(maxEntries)
	if err != nil && len(entries) == 0 && !errors.Is(err, io.EOF) {
		h.refuse(w, r, err)
		return
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".") })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		if a.IsDir() != b.IsDir() {
			if a.IsDir() {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Name(), b.Name())
	})
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if r.Method != http.MethodHead {
		fmt.Fprint(w, page(name, entries))
	}
}

func page(name string, entries []fs.DirEntry) string {
	title := html.EscapeString("Index of /" + strings.TrimPrefix(name+"/", "./"))
	var b strings.Builder
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>%s</title>"+
		"<style>body{font-family:monospace;margin:2em}td{padding:2px 1em}td+td{text-align:right}</style></head>\n<body><h1>%s</h1><table>\n", title, title)
	if name != "." {
		b.WriteString("<tr><td><a href=\"../\">../</a></td></tr>\n")
	}
	for _, e := range entries {
		b.WriteString(row(e))
	}
	if len(entries) >= maxEntries {
		b.WriteString("<tr><td>… and more</td></tr>\n")
	}
	b.WriteString("</table></body></html>\n")
	return b.String()
}

// row links with "./" before the name, which may look like a scheme ("a:b").
func row(e fs.DirEntry) string {
	name, size, at := e.Name(), "-", ""
	if info, err := e.Info(); err == nil {
		at = info.ModTime().UTC().Format("2006-01-02 15:04:05")
		if !e.IsDir() {
			size = fmt.Sprint(info.Size())
		}
	}
	if e.IsDir() {
		name += "/"
	}
	href := html.EscapeString("./" + (&url.URL{Path: name}).EscapedPath())
	return fmt.Sprintf("<tr><td><a href=\"%s\">%s</a></td><td>%s</td><td>%s</td></tr>\n", href, html.EscapeString(name), size, at)
}
