package experiments

import (
	"embed"
	"io/fs"
)

//go:embed library/*.yaml
var library embed.FS

// Library returns the experiments that are shipped, one file each, to copy and
// change: names, addresses and proxies in them are examples.
func Library() fs.FS {
	sub, err := fs.Sub(library, "library")
	if err != nil { // only for a path that is not valid
		return library
	}
	return sub
}
