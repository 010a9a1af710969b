package narrate

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
	"gonsrun/internal/trace"
)

// evidence is what can be seen of an answered call from outside, read from the
// kernel now. Where /proc is another PID namespace's nothing is read there: its
// numbers are strangers.
func evidence(c *trace.Call, parent, child *trace.Process) (seen []string) {
	switch c.Name() {
	case "clone", "clone3", "fork", "vfork":
		if child == nil || !proc.IsOurs() {
			return nil
		}
		theirs := strconv.Itoa(child.ID)
		for _, kind := range namespaceKinds(c.CloneFlags()) {
			if ns := proc.Namespace(theirs, kind); ns != "" {
				seen = append(seen, fmt.Sprintf("%s → %s", proc.Namespace(strconv.Itoa(parent.ID), kind), ns))
			}
		}
		if c.CloneFlags()&unix.CLONE_NEWPID != 0 {
			if pids := proc.StatusField(theirs, "NSpid"); pids != "" {
				seen = append(seen, "NSpid: "+strings.Join(strings.Fields(pids), " "))
			}
		}
	case "write":
		if filepath.Base(c.Path) == "cgroup.procs" && string(c.Data) == "0" && proc.IsOurs() {
			// The kernel's word for it: 9:pids:/gonsrun-step06-4242
			name := filepath.Base(filepath.Dir(c.Path))
			for _, line := range strings.Split(proc.Read(fmt.Sprintf("/proc/%d/cgroup", parent.ID)), "\n") {
				if t, ok := treeOf(c.Path); ok && t.isOf(line) && strings.HasSuffix(line, "/"+name) {
					seen = append(seen, "/proc/PID/cgroup: "+line)
				}
			}
		}
	}
	return seen
}
