package server

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// page is the web page's files, read once.
type page struct{ files map[string]pageFile }

type pageFile struct {
	body  []byte
	kind  string
	tag   string // ETag
	cache string
}

// Content policy of the page: all that it needs comes from here.
const contentPolicy = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; " +
	"object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

func loadPage(from fs.FS) (*page, error) {
	p := &page{files: map[string]pageFile{}}
	err := fs.WalkDir(from, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		p.files["/"+name] = newPageFile(name, body)
		return nil
	})
	if err != nil {
		return nil, err
	}
	index, err := fs.ReadFile(from, "index.html")
	if err != nil {
		return nil, err
	}
	p.files["/"] = newPageFile("index.html", index)
	return p, nil
}

func newPageFile(name string, body []byte) pageFile {
	sum := sha256.Sum256(body)
	f := pageFile{body: body, kind: mime.TypeByExtension(path.Ext(name)), tag: `"` + hex.EncodeToString(sum[:8]) + `"`, cache: "no-cache"}
	if f.kind == "" {
		f.kind = http.DetectContentType(body)
	}
	// The build puts a hash of its content into the name of each asset.
	if strings.HasPrefix(name, "assets/") {
		f.cache = "public, max-age=31536000, immutable"
	}
	return f
}

// file answers GET / and what the page loads from it.
func (s *Server) file(c *fiber.Ctx) error {
	f, ok := s.page.files[c.Path()]
	if !ok {
		return fiber.ErrNotFound
	}
	c.Set(fiber.HeaderContentSecurityPolicy, contentPolicy)
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, f.cache)
	c.Set(fiber.HeaderETag, f.tag)
	if c.Get(fiber.HeaderIfNoneMatch) == f.tag {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, f.kind)
	c.Context().Response.SetBodyRaw(f.body)
	return nil
}
