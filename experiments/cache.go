package experiments

import (
	"crypto/sha256"
	"sync"

	"mishap"
)

// Cache remembers what files said, so that a tree of which one file changed is
// read again quickly. It serves calls with the same options only.
type Cache struct {
	mu    sync.Mutex
	files map[string]remembered // by path
}

// remembered is what a file without problems said.
type remembered struct {
	sum        [sha256.Size]byte
	experiment mishap.Experiment
	name       *node
	vars       []string
}

func (c *Cache) get(f *file, data []byte) (loaded, bool) {
	if c == nil {
		return loaded{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.files[f.path]
	if !ok || r.sum != sha256.Sum256(data) {
		return loaded{}, false
	}
	return loaded{experiment: r.experiment, file: f, name: r.name, vars: r.vars, read: true}, true
}

func (c *Cache) put(l loaded, data []byte) {
	if c == nil || len(l.file.problems) > 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[string]remembered{}
	}
	name := &node{shape: l.name.shape, line: l.name.line, column: l.name.column, value: l.name.value}
	c.files[l.file.path] = remembered{sha256.Sum256(data), l.experiment, name, l.vars}
}

// keep forgets all files but these.
func (c *Cache) keep(files []found) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	wanted := map[string]bool{}
	for _, f := range files {
		wanted[f.path] = true
	}
	for p := range c.files {
		if !wanted[p] {
			delete(c.files, p)
		}
	}
}
