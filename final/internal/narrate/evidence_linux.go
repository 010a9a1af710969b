package narrate

import (
	"fmt"
	"strings"

	"gonsrun/internal/proc"
)

// Namespaces shows, for each namespace named as in /proc/PID/ns ("uts",
// "mnt"), the one that this process is in and the one that pid is in.
func Namespaces(pid int, names ...string) {
	if config.Quiet {
		return
	}
	for _, name := range names {
		if theirs := proc.Namespace(fmt.Sprint(pid), name); theirs != "" {
			Evidence("%s → %s", proc.Namespace("self", name), theirs)
		}
	}
}

// NSpid shows the pids of one process, as each PID namespace that it is in
// counts them, from ours inward.
func NSpid(pid int) {
	if config.Quiet {
		return
	}
	if pids := proc.StatusField(fmt.Sprint(pid), "NSpid"); pids != "" {
		Evidence("NSpid: %s", strings.Join(strings.Fields(pids), " "))
	}
}
