//go:build linux

package main

import (
	"flag"
	"os"

	"gonsrun/final/internal/logfile"
)

func logsCommand() command {
	var follow bool
	return command{
		name: "logs", synopsis: "[-f] CONTAINER", summary: "print what a detached container printed",
		manual:  "The log is kept in two files of at most 64 MiB each: of a longer output the\nbeginning is lost.",
		example: "final logs -f web",
		define:  func(f *flag.FlagSet) { f.BoolVar(&follow, "f", false, "go on until the container ends") },
		do: func(args []string) (int, error) {
			sweep()
			c, err := theOne(args)
			if err != nil {
				return 0, err
			}
			return 0, logfile.Copy(os.Stdout, c.dir.Path, follow, c.ended)
		},
	}
}

// ended reports whether the container's output is complete.
func (c *container) ended() bool {
	now, err := load(c.dir)
	return err != nil || now.state.Status == stopped || !c.dir.Kept()
}
