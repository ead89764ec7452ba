// Package ui holds the built web page. Without a build it serves a page that says how to make one, so that
// the Go code builds and tests without Node.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist fallback
var embedded embed.FS

// Files returns the page's files with index.html at the root. The result is read-only and safe for use by many goroutines.
func Files() fs.FS {
	return choose(sub("dist"), sub("fallback"))
}

// choose returns built if it holds a page, else fallback.
func choose(built, fallback fs.FS) fs.FS {
	if _, err := fs.Stat(built, "index.html"); err != nil {
		return fallback
	}
	return built
}

// sub can't fail: fs.Sub refuses only names that are not valid paths, and both are constants.
func sub(dir string) fs.FS {
	files, err := fs.Sub(embedded, dir)
	if err != nil {
		panic("ui: " + err.Error())
	}
	return files
}
