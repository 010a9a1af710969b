package narrate

import (
	"fmt"
	"math/bits"
	"path"
	"strconv"
	"strings"

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
	procPID    string // the PID namespace that its /proc shows
	cgroup     string // /proc/PID/cgroup
	status     string // /proc/PID/status
	users      string // /proc/PID/uid_map, with the users' numbers as we have them
}

var kinds = []string{"uts", "pid", "mnt", "ipc", "net", "cgroup", "user"}

// look asks the kernel.
func look(pid int) view {
	dir := "/proc/" + strconv.Itoa(pid)
	v := view{namespaces: map[string]string{}, root: identity(dir + "/root/."),
		cgroup: proc.Read(dir + "/cgroup"), status: proc.Read(dir + "/status"), users: proc.Read(dir + "/uid_map")}
	for _, kind := range kinds {
		v.namespaces[kind] = proc.Namespace(strconv.Itoa(pid), kind)
	}
	if v.namespaces["user"] == proc.Namespace("self", "user") {
		v.users = asInside(v.users)
	}
	var fs unix.Statfs_t
	if mount := dir + "/root/proc"; unix.Statfs(mount, &fs) == nil && fs.Type == unix.PROC_SUPER_MAGIC {
		v.proc = identity(mount)
		// Number 1 of what a /proc shows lives in the PID namespace that it shows.
		v.procPID = proc.Namespace(strconv.Itoa(pid)+"/root/proc/1", "pid")
	}
	return v
}

// asInside is the uid_map of our own user namespace with the numbers that its users
// have in there: the kernel writes those of the namespace above.
func asInside(users string) string {
	lines := strings.Split(users, "\n")
	for i, line := range lines {
		if fields := strings.Fields(line); len(fields) == 3 {
			lines[i] = fields[0] + " " + fields[0] + " " + fields[2]
		}
	}
	return strings.Join(lines, "\n")
}

// board compares what the kernel says of the process that was started, with what
// it says of the starter: each namespace, the root, /proc, the limits, the
// capabilities that the command will have, and the seccomp filter. granted is what the
// command's file gives.
func board(ours, theirs view, granted string) []place {
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
	return append(places, root, procPlace(ours, theirs), limitsPlace(ours, theirs),
		capabilitiesPlace(ours, theirs, granted), seccompPlace(ours, theirs))
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

// procPlace: a /proc is a process's own only if it shows its PID namespace, and
// that is not the starter's.
func procPlace(ours, theirs view) place {
	switch {
	case theirs.proc == "":
		return place{name: "/proc", state: none, fact: "not mounted"}
	case theirs.procPID != "" && theirs.procPID == theirs.namespaces["pid"] && theirs.procPID != ours.namespaces["pid"]:
		return place{name: "/proc", state: own, fact: theirs.proc}
	}
	return place{name: "/proc", state: hosts, fact: theirs.proc}
}

// limitsPlace reads the limits of the cgroups that are not the starter's, too:
// those of the process's own group, and of the groups above it in which the starter
// is not.
func limitsPlace(ours, theirs view) place {
	if theirs.cgroup == "" {
		return place{name: "limits", state: none, fact: "no cgroups"}
	}
	p := place{name: "limits", state: hosts, fact: "no group"}
	var limits []string
	for _, line := range strings.Split(theirs.cgroup, "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) < 3 {
			continue
		}
		for group := fields[2]; !holds(ours.cgroup, fields[1], group); group = path.Dir(group) {
			p.fact = "none is set"
			if dir := groupFolder(fields[1], group); dir != "" {
				limits = append(limits, groupLimits(dir)...)
			}
		}
	}
	if limits != nil {
		p.state, p.fact, p.detail = own, seeBelow, strings.Join(limits, ", ")
	}
	return p
}

// holds reports whether a process, of which this is /proc/PID/cgroup, is in a group
// of a tree, or below it. The root holds all.
func holds(cgroup, controllers, group string) bool {
	if group == "/" || group == "." {
		return true
	}
	for _, line := range strings.Split(cgroup, "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) == 3 && fields[1] == controllers && (fields[2] == group || strings.HasPrefix(fields[2], group+"/")) {
			return true
		}
	}
	return false
}

// groupLimits reads the limits of one cgroup, in the files of v1 and of v2.
func groupLimits(dir string) (limits []string) {
	read := func(file string) string { return proc.Read(dir + "/" + file) }
	if n := read("pids.max"); n != "" && n != "max" {
		limits = append(limits, n+" pids")
	}
	for _, file := range []string{"memory.max", "memory.limit_in_bytes"} {
		if n, err := strconv.ParseInt(read(file), 10, 64); err == nil && n < 1<<60 {
			limits = append(limits, size(n))
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
	return limits
}

// size is a number of bytes in the largest unit that it is a whole number of, up to
// MiB.
func size(bytes int64) string {
	switch {
	case bytes%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", bytes>>20)
	case bytes%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

func capabilitiesPlace(ourView, theirView view, granted string) place {
	ours, err1 := capabilities(ourView.status)
	theirs, err2 := capabilities(theirView.status)
	if err1 != nil || err2 != nil {
		return place{name: "caps", state: none}
	}
	theirs = theirs.afterExecve(theirView.isRoot(), proc.Field(theirView.status, "NoNewPrivs") == "1")
	last, err := strconv.Atoi(proc.Read("/proc/sys/kernel/cap_last_cap"))
	if err != nil {
		last = bits.Len64(theirs.bounding|ours.bounding) - 1
	}
	// In another user namespace they are for what belongs to that.
	same := ourView.namespaces["user"] == theirView.namespaces["user"]
	p := place{name: "caps", state: compare(same && ours.effective == theirs.effective && ours.permitted == theirs.permitted && ours.bounding == theirs.bounding)}
	p.fact = fmt.Sprintf("%d of %d", bits.OnesCount64(theirs.effective), last+1)
	p.detail = granted
	return p
}

// granted says what an execve of this file gives a process beside, or instead of, the
// capabilities that it would have otherwise, "" for nothing. See execve(2) and
// capabilities(7).
func (v view) granted(file string) string {
	var st unix.Stat_t
	if !grants(file) || proc.Field(v.status, "NoNewPrivs") == "1" || unix.Stat(file, &st) != nil {
		return ""
	}
	switch {
	case st.Mode&unix.S_ISUID != 0 && strconv.Itoa(int(st.Uid)) != effectiveUser(v.status) && v.hasUser(st.Uid):
		return fmt.Sprintf("the command's file is set-user-ID: it will run as user %d, with other rights than these", st.Uid)
	case !v.isRoot() && hasCapabilities(file):
		return "the command's file has capabilities: it gets more than this"
	}
	return ""
}

// hasUser reports whether the user namespace of a process has this user.
func (v view) hasUser(user uint32) bool {
	for _, line := range strings.Split(v.users, "\n") {
		var inside, first, count uint32
		if n, _ := fmt.Sscan(line, &inside, &first, &count); n == 3 && user >= first && user-first < count {
			return true
		}
	}
	return v.users == ""
}

// capabilitySets are the sets of a process that decide what it may do, and
// what it can ever regain. See capabilities(7).
type capabilitySets struct{ effective, permitted, bounding, inheritable, ambient uint64 }

// capabilities reads them from the text of /proc/PID/status.
func capabilities(status string) (sets capabilitySets, err error) {
	for field, set := range map[string]*uint64{"CapEff": &sets.effective, "CapPrm": &sets.permitted,
		"CapBnd": &sets.bounding, "CapInh": &sets.inheritable, "CapAmb": &sets.ambient} {
		if *set, err = strconv.ParseUint(proc.Field(status, field), 16, 64); err != nil {
			return sets, err
		}
	}
	return sets, nil
}

// afterExecve are the sets after an execve of an ordinary file: root gets what
// the bounding set allows, everybody else keeps the ambient set. With the bit
// no_new_privs root gets nothing that it does not have. See capabilities(7),
// "Transformation of capabilities during execve()". Whether root is nobody special
// (SECBIT_NOROOT), the kernel tells the process alone: that is not looked at.
func (s capabilitySets) afterExecve(root, noNew bool) capabilitySets {
	had := s.permitted
	s.permitted = s.ambient
	if root {
		s.permitted = s.bounding | s.inheritable
		if noNew {
			s.permitted &= had
		}
	}
	s.effective = s.permitted
	return s
}

// isRoot reports whether a process is root in its own user namespace: the user that
// its uid_map maps to 0. See user_namespaces(7).
func (v view) isRoot() bool {
	user := effectiveUser(v.status)
	for _, line := range strings.Split(v.users, "\n") {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "0" {
			return fields[1] == user
		}
	}
	return user == "0"
}

// grants reports whether an execve of this file gives privileges.
func grants(file string) bool {
	var st unix.Stat_t
	if file == "" || unix.Stat(file, &st) != nil {
		return false
	}
	var fs unix.Statfs_t
	if unix.Statfs(file, &fs) == nil && fs.Flags&unix.ST_NOSUID != 0 {
		return false
	}
	return st.Mode&unix.S_ISUID != 0 || st.Mode&(unix.S_ISGID|unix.S_IXGRP) == unix.S_ISGID|unix.S_IXGRP || hasCapabilities(file)
}

// hasCapabilities reports whether a file gives capabilities.
func hasCapabilities(file string) bool {
	size, err := unix.Getxattr(file, "security.capability", nil)
	return err == nil && size > 0
}

// seccompPlace reads the seccomp mode, see proc_pid_status(5).
func seccompPlace(ours, theirs view) place {
	mode := map[string]string{"0": "off", "1": "strict", "2": "filter"}[proc.Field(theirs.status, "Seccomp")]
	switch {
	case mode == "" || mode == "off":
		return place{name: "seccomp", state: none, fact: mode}
	case proc.Field(ours.status, "Seccomp") == proc.Field(theirs.status, "Seccomp") &&
		proc.Field(ours.status, "Seccomp_filters") == proc.Field(theirs.status, "Seccomp_filters"):
		return place{name: "seccomp", state: hosts, fact: mode}
	}
	return place{name: "seccomp", state: own, fact: mode}
}

const (
	minPlace   = 30
	factColumn = 17 // where the fact of a place begins
	seeBelow   = "see below"
)

// drawBoard is the board in lines of two places, or of one where the terminal is
// narrow. A fact that is too wide for its place stands below.
func (p *printer) drawBoard(places []place) (all []line) {
	column, rows := p.columns, len(places)
	if p.columns >= 2*minPlace {
		column, rows = p.columns/2-1, (len(places)+1)/2
	}
	var cells []string
	var details []line
	for i, place := range places {
		width := column
		if i >= rows { // the right column has what the left one leaves
			width = p.columns - column - 1
		}
		if room := width - factColumn; place.detail == "" && columns(place.fact) > room && len(seeBelow) <= room {
			place.fact, place.detail = seeBelow, place.fact
		}
		if place.detail != "" {
			details = append(details, p.lines(plainStyle, place.name+": "+place.detail)...)
		}
		cells = append(cells, place.cell(width))
	}
	all = p.lines(callStyle, "What the command will have of its own:")
	for i, text := range cells[:rows] {
		if i+rows < len(cells) {
			text += " " + cells[i+rows]
		}
		all = append(all, line{styled: strings.TrimRight(text, " "), columns: p.columns})
	}
	return append(all, details...)
}

// cell is a place in a column: ■ uts     own    [4026532201]
func (p place) cell(width int) string {
	mark, style := "□", plainStyle
	if p.state == own {
		mark, style = "■", goodStyle
	}
	text := cut(fmt.Sprintf("%s %-8s%-7s%s", mark, p.name, p.state, p.fact), width)
	return style.Sprint(text) + strings.Repeat(" ", width-columns(text))
}
