package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/pflag"
)

// logConfig says how a role logs. Logs go to standard error.
type logConfig struct {
	level  string
	format string
}

func (c *logConfig) bind(flags *pflag.FlagSet, level string) {
	flags.StringVar(&c.level, "log-level", level, "least level to log: debug, info, warn or error")
	flags.StringVar(&c.format, "log-format", "text", "text or json")
}

func (c *logConfig) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.level)); err != nil {
		return nil, fmt.Errorf("--log-level %q must be debug, info, warn or error", c.level)
	}
	options := &slog.HandlerOptions{Level: level}
	switch c.format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, fmt.Errorf("--log-format %q must be text or json", c.format)
	}
}
