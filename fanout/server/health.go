package server

import "github.com/gofiber/fiber/v2"

// healthz answers whether the process is alive.
func (s *Server) healthz(c *fiber.Ctx) error { return status(c, "ok") }

// readyz answers whether clients are to be sent here.
func (s *Server) readyz(c *fiber.Ctx) error {
	if _, err := s.ready(); err != nil {
		return err
	}
	return status(c, "ready")
}

func status(c *fiber.Ctx, word string) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(fiber.Map{"status": word})
}
