package narrate

import (
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// place is one line of the isolation board.
type place struct {
	name  string
	state string // own, host's or none
	fact  string // what the kernel says of it

	detail string // more of it, for which the board's columns are too narrow
}

const (
	own   = "own"
	hosts = "host's"
	none  = "none"
)

// view is what the kernel says of one process.
type view struct {
	namespaces map[string]string
	root       string // identity of its root directory, "" for a process that is gone
	proc       string // identity of its /proc, "" where none is mounted
	cgroup     string // /proc/PID/cgroup
	status     string // /proc/PID/status
}

var kinds = []string{"uts", "pid", "mnt", "ipc", "net", "cgroup", "user"}

// look asks the kernel. It takes some time, so the host's side looks at itself
// while the container's side is busy.
func look(pid string) view {
	v := view{namespaces: map[string]string{}, root: identity("/proc/" + pid + "/root/."),
		cgroup: proc.Read("/proc/" + pid + "/cgroup"), status: proc.Read("/proc/" + pid + "/status")}
	for _, kind := range kinds {
		v.namespaces[kind] = proc.Namespace(pid, kind)
	}
	path := "/proc/" + pid + "/root/proc"
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		v.proc = identity(path)
	}
	return v
}

// drawBoard draws what isolates a process: each namespace, the root, /proc, the
// limits, the capabilities and the seccomp filter, and whether it is its own
// or the host's, by comparing what the kernel says of it and of us.
func drawBoard(places []place) {
	column := textWidth()
	if column >= 2*minPlace {
		column /= 2
	}
	var b block
	b.text(callStyle, "What the command will have of its own:")
	rows := len(places)
	if column < textWidth() {
		rows = (len(places) + 1) / 2
	}
	for i := range rows {
		text := places[i].cell(column)
		if i+rows < len(places) {
			text += places[i+rows].cell(column)
		}
		b.lines = append(b.lines, line{styled: strings.TrimRight(text, " "), columns: textWidth()})
	}
	for _, p := range places {
		if p.detail != "" {
			b.text(plainStyle, p.name+": "+p.detail)
		}
	}
	b.print()
}

const minPlace = 30

// cell is a place in a column: ■ uts     own     uts:[4026532201]
func (p place) cell(columns int) string {
	mark, style := "□", plainStyle
	if p.state == own {
		mark, style = "■", goodStyle
	}
	text := fmt.Sprintf("%s %-8s%-7s%s", mark, p.name, p.state, p.fact)
	if utf8.RuneCountInString(text) > columns-1 {
		text = string([]rune(text)[:columns-2]) + "…"
	}
	return style.Sprint(text) + strings.Repeat(" ", columns-utf8.RuneCountInString(text))
}

// board compares two views: ours and another process's.
func board(ours, theirs view) []place {
	var places []place
	for _, kind := range kinds {
		p := place{name: kind, state: none}
		if ns := theirs.namespaces[kind]; ns != "" {
			p.state = compare(ours.namespaces[kind] == ns)
			_, p.fact, _ = strings.Cut(ns, ":")
		}
		places = append(places, p)
	}
	root := place{name: "root", state: none}
	if theirs.root != "" {
		root.state, root.fact = compare(ours.root == theirs.root), theirs.root
	}
	proc := place{name: "/proc", state: none, fact: "not mounted"}
	if theirs.proc != "" {
		proc.state, proc.fact = compare(ours.proc == theirs.proc), theirs.proc
	}
	return append(places, root, proc, limitsPlace(ours, theirs), capabilitiesPlace(ours, theirs), seccompPlace(ours, theirs))
}

func compare(same bool) string {
	if same {
		return hosts
	}
	return own
}

// identity tells files apart: device and inode number. It is "" for one that is
// not there.
func identity(path string) string {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d/%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
}

// limitsPlace compares the cgroups of the two sides, and reads the limits.
func limitsPlace(ours, theirs view) place {
	if theirs.cgroup == "" {
		return place{name: "limits", state: none, fact: "no cgroups here"}
	}
	p := place{name: "limits", state: hosts, fact: "no group"}
	var limits []string
	for _, line := range strings.Split(theirs.cgroup, "\n") {
		if strings.Contains("\n"+ours.cgroup+"\n", "\n"+line+"\n") {
			continue
		}
		p.state = own
		fields := strings.SplitN(line, ":", 3)
		limits = append(limits, cgroupLimits(fields[1], fields[2])...)
	}
	if p.state == own {
		p.fact, p.detail = "see below", strings.Join(limits, ", ")
		if limits == nil {
			p.fact = "none is set"
		}
	}
	return p
}

// cgroupLimits reads the limits of one cgroup: of a v1 controller, or of the v2
// tree when controllers is "".
func cgroupLimits(controllers, path string) []string {
	mounted, _ := filepath.Glob("/sys/fs/cgroup/" + controllers)
	if controllers == "" {
		mounted = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}
	}
	var limits []string
	for _, tree := range mounted {
		read := func(file string) string {
			value, _ := os.ReadFile(filepath.Join(tree, path, file))
			return strings.TrimSpace(string(value))
		}
		if n := read("pids.max"); n != "" && n != "max" {
			limits = append(limits, n+" pids")
		}
		for _, file := range []string{"memory.max", "memory.limit_in_bytes"} {
			if n, err := strconv.ParseInt(read(file), 10, 64); err == nil && n < 1<<60 {
				limits = append(limits, fmt.Sprintf("%d MiB", n>>20))
			}
		}
		quota, period, _ := strings.Cut(read("cpu.max"), " ")
		if quota == "" {
			quota, period = read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")
		}
		q, err1 := strconv.ParseFloat(quota, 64)
		each, err2 := strconv.ParseFloat(period, 64)
		if err1 == nil && err2 == nil && q > 0 {
			limits = append(limits, fmt.Sprintf("%.3g CPU", q/each))
		}
	}
	return limits
}

func capabilitiesPlace(ourView, theirView view) place {
	ours, err1 := capabilities(ourView.status)
	theirs, err2 := capabilities(theirView.status)
	if err1 != nil || err2 != nil {
		return place{name: "caps", state: none, fact: ""}
	}
	last, err := strconv.Atoi(proc.Read("/proc/sys/kernel/cap_last_cap"))
	if err != nil {
		last = bits.Len64(theirs.bounding|ours.bounding) - 1
	}
	fact := fmt.Sprintf("%d of %d", bits.OnesCount64(theirs.effective), last+1)
	return place{name: "caps", state: compare(ours == theirs), fact: fact}
}

// capabilitySets are the sets of a process that decide what it may do, and
// what it can ever regain. See capabilities(7).
type capabilitySets struct{ effective, permitted, bounding uint64 }

// capabilities reads them from /proc/PID/status.
func capabilities(status string) (sets capabilitySets, err error) {
	for field, set := range map[string]*uint64{"CapEff": &sets.effective, "CapPrm": &sets.permitted, "CapBnd": &sets.bounding} {
		if *set, err = strconv.ParseUint(proc.Field(status, field), 16, 64); err != nil {
			return sets, err
		}
	}
	return sets, nil
}

// seccompPlace reads the seccomp mode, see proc_pid_status(5).
func seccompPlace(ours, theirs view) place {
	mode := map[string]string{"0": "off", "1": "strict", "2": "filter"}[proc.Field(theirs.status, "Seccomp")]
	switch {
	case mode == "" || mode == "off":
		return place{name: "seccomp", state: none, fact: mode}
	case proc.Field(ours.status, "Seccomp_filters") == proc.Field(theirs.status, "Seccomp_filters"):
		return place{name: "seccomp", state: hosts, fact: mode}
	}
	return place{name: "seccomp", state: own, fact: mode}
}
