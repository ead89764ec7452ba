package ui

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

func TestFilesAlwaysHoldAPage(t *testing.T) {
	page, err := fs.ReadFile(Files(), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "<title>Tapecast") {
		t.Fatalf("index.html is not Tapecast's page: %.200s", page)
	}
}

func TestFallbackSaysHowToBuild(t *testing.T) {
	page, err := fs.ReadFile(choose(fstest.MapFS{".gitkeep": {}}, sub("fallback")), "index.html")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "make build") {
		t.Fatalf("the fallback does not say how to build the page: %s", page)
	}
}

func TestBuildWinsOverFallback(t *testing.T) {
	built := fstest.MapFS{"index.html": {Data: []byte("built")}}
	page, err := fs.ReadFile(choose(built, sub("fallback")), "index.html")
	if err != nil || string(page) != "built" {
		t.Fatalf("got %q, %v; want the build", page, err)
	}
}
