package static

import (
	"compress/gzip"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Bounds of what is compressed while serving: below, the header outweighs the
// gain; above, the processor is worth more than the line.
const (
	minZip = 1 << 10
	maxZip = 8 << 20
)

// zipper compresses as many answers at once as there are processors; the others
// go out as they are.
type zipper struct {
	slots   chan struct{}
	writers *sync.Pool
}

func newZipper() zipper {
	return zipper{
		slots:   make(chan struct{}, runtime.GOMAXPROCS(0)),
		writers: &sync.Pool{New: func() any { return gzip.NewWriter(nil) }},
	}
}

// serve answers with the compressed file, or says false and has done nothing.
func (z zipper) serve(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo) bool {
	if info.Size() < minZip || info.Size() > maxZip {
		return false
	}
	select {
	case z.slots <- struct{}{}:
		defer func() { <-z.slots }()
	default:
		return false
	}
	head := w.Header()
	head.Set("ETag", tag(info, "-gz"))
	head.Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	if unchanged(r, head.Get("ETag"), info) {
		head.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	head.Set("Content-Encoding", "gzip")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return true
	}
	zw := z.writers.Get().(*gzip.Writer)
	defer z.writers.Put(zw)
	zw.Reset(w)
	if _, err := io.Copy(zw, f); err == nil {
		zw.Close() // what went wrong before shows as a stream cut off
	}
	return true
}

// unchanged is RFC 9110's section 13.2.2 for GET without a range.
func unchanged(r *http.Request, etag string, info fs.FileInfo) bool {
	if match := r.Header.Get("If-None-Match"); match != "" {
		for candidate := range strings.SplitSeq(match, ",") {
			candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
			if candidate == "*" || candidate == etag {
				return true
			}
		}
		return false
	}
	since, err := http.ParseTime(r.Header.Get("If-Modified-Since"))
	return err == nil && !info.ModTime().Truncate(1e9).After(since)
}

// parseAccept reads Accept-Encoding: the weight of each coding. "*" counts for
// gzip, the one everybody means.
func parseAccept(header string) map[string]float64 {
	weights := map[string]float64{}
	for item := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(item, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
		}
		if coding != "" {
			weights[coding] = q
		}
	}
	if q, ok := weights["*"]; ok {
		if _, named := weights["gzip"]; !named {
			weights["gzip"] = q
		}
	}
	return weights
}

func systemType(ext string) string {
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}
