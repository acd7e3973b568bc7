package dashboard

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"rescind"
)

//go:embed pages style.css script.js
var files embed.FS

const (
	stylePath  = "/dashboard/style.css"
	scriptPath = "/dashboard/script.js"
)

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"duration": showDuration,
	"bytes":    showBytes[uint64],
	"count":    showCount[uint64],
	"time":     showTime,
	"clock":    showClock,
	"millis":   func(m rescind.Millis) string { return showTime(m.Time()) },
	"short":    func(s string) string { return short(s, 60) },
	"share":    share,
}).ParseFS(files, "pages/*.html"))

// share is how long a bar of at most 100 is for d, where the longest is slowest
// seconds.
func share(d time.Duration, slowest float64) float64 {
	if slowest <= 0 {
		return 0
	}
	return tenth(100 * d.Seconds() / slowest)
}

// write answers with a page, which is complete before its first byte leaves.
func write(w http.ResponseWriter, status int, name string, data any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, data); err != nil {
		panic(err) // every view that can be made can be shown
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	w.WriteHeader(status)
	w.Write(out.Bytes()) // a browser that has gone needs no answer
}

// serveFile serves an embedded file.
func serveFile(name, mediaType string) http.HandlerFunc {
	content, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Write(content)
	}
}
