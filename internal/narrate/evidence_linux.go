package narrate

import (
	"fmt"
	"os"
	"strings"
)

// Namespaces shows, for each namespace named as in /proc/PID/ns ("uts",
// "mnt"), the one that this process is in and the one that pid is in.
func Namespaces(pid int, names ...string) {
	if config.Quiet {
		return
	}
	for _, name := range names {
		if theirs := namespace(fmt.Sprint(pid), name); theirs != "" {
			Evidence("%s → %s", namespace("self", name), theirs)
		}
	}
}

// NSpid shows the pids of one process, as each PID namespace that it is in
// counts them, from ours inward.
func NSpid(pid int) {
	if config.Quiet {
		return
	}
	if pids := StatusField(fmt.Sprint(pid), "NSpid"); pids != "" {
		Evidence("NSpid: %s", strings.Join(strings.Fields(pids), " "))
	}
}

// namespace identifies a namespace of a process: uts:[4026531838]. It is "" for
// a process that is gone, and for a namespace that this kernel lacks.
func namespace(pid, name string) string {
	link, _ := os.Readlink("/proc/" + pid + "/ns/" + name)
	return link
}

// StatusField reads one field of /proc/PID/status, see proc_pid_status(5). It is
// "" when there is none.
func StatusField(pid, field string) string {
	return statusField(Read("/proc/"+pid+"/status"), field)
}

func statusField(status, field string) string {
	_, rest, found := strings.Cut("\n"+status, "\n"+field+":")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
