//go:build linux

package main

import (
	"os"
	"syscall"

	"gonsrun/internal/proc"
)

// explainCommand is the verb explain.
func explainCommand() command {
	return command{
		name: "explain", synopsis: "[flags] COMMAND [ARG…]", narrates: true,
		summary: "become a command, whoever wrote it, and narrate what it does",
		manual:  "The narrator watches from beside: the process, its input, its signals and its\nexit status are the command's own.",
		asRoot:  true,
		example: "final explain runc run web",
		do: func(args []string) (int, error) {
			if len(args) == 0 {
				return 0, usage(`"explain" needs a command to become`)
			}
			path, err := proc.LookUp(args[0], os.Environ())
			if err != nil {
				return 0, err
			}
			narrateFromHere("explain", true)
			return 0, kernelError{cannotExecute(path, syscall.Exec(path, args, os.Environ()))}
		},
	}
}
