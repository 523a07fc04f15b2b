package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"

	"mishap/internal/report/html"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file whose name has the hash of its content, so that browsers may keep it.
type asset struct {
	kind string
	text []byte
}

// assets are all of them by their names with hashes, and these names by those without.
type assets struct {
	byName map[string]asset
	named  map[string]string
}

func newAssets() *assets {
	all := &assets{byName: map[string]asset{}, named: map[string]string{}}
	kinds := map[string]string{"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
	for _, name := range []string{"report.css", "console.css", "console.js", "icon.svg"} {
		text, err := assetFiles.ReadFile("assets/" + name)
		if name == "report.css" { // pictures and tables look alike in reports and here
			text, err = []byte(html.CSS()), nil
		}
		if err != nil {
			panic(err) // it is in the program
		}
		sum := sha256.Sum256(text)
		base, ext, _ := strings.Cut(name, ".")
		hashed := base + "." + hex.EncodeToString(sum[:6]) + "." + ext
		all.byName[hashed], all.named[name] = asset{kinds[ext], text}, "/assets/"+hashed
	}
	return all
}

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	one, ok := a.byName[r.PathValue("file")]
	if !ok {
		http.Error(w, "there is no such asset", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", one.kind)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(one.text)
}
