package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/pflag"
)

// fromEnvironment sets the flags that were not given from the environment:
// --admin-listen from TAPECAST_ADMIN_LISTEN. It names all that are wrong.
func fromEnvironment(flags *pflag.FlagSet) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value, ok := os.LookupEnv(name)
		if f.Changed || !ok || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("environment variable %s=%q: %w", name, value, err))
		}
	})
	return errors.Join(errs...)
}

// variable returns the environment variable of a flag.
func variable(flag string) string {
	return "TAPECAST_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
