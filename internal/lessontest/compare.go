package lessontest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Narrated is one line of -json.
type Narrated struct {
	Lesson string `json:"lesson"`
	Side   string `json:"side"`
	PID    int    `json:"pid"`
	Host   int    `json:"hostpid"`
	Call   string `json:"call"`
	Args   string `json:"args"` // … stands for anything
	Ret    int    `json:"ret"`
	Errno  string `json:"errno"`
	Why    string `json:"why"`
	Man    string `json:"man"`
	File   string `json:"file"`
	Line   int    `json:"line"`
}

// String is the call as strace prints it.
func (n Narrated) String() string {
	return SystemCall{Name: n.Call, Args: n.Args, Ret: n.Ret, Errno: n.Errno, Done: true}.String()
}

// is reports whether c is the call that n tells of. What n leaves out with …
// may be anything but a namespace.
func (n Narrated) is(c SystemCall) bool {
	if n.Call != c.Name || !c.Done || n.Ret != c.Ret || n.Errno != c.Errno {
		return false
	}
	var pattern strings.Builder
	for i, part := range strings.Split(n.Args, "…") {
		if i > 0 {
			pattern.WriteString(".*")
		}
		pattern.WriteString(regexp.QuoteMeta(part))
	}
	return regexp.MustCompile(`(?s)^`+pattern.String()+`$`).MatchString(c.Args) &&
		(!c.MakesProcess() || slices.Equal(Namespaces(n.Args), Namespaces(c.Args)))
}

// Listed reports whether a call is one of those that a lesson must narrate
// whenever it makes them.
func Listed(c SystemCall) bool {
	inCgroupTree := strings.Contains(c.Args, "/sys/fs/cgroup/")
	switch c.Name {
	case "clone", "clone3":
		return len(Namespaces(c.Args)) > 0
	case "mkdir", "mkdirat":
		return inCgroupTree
	case "write":
		target, _, _ := strings.Cut(c.Args, ",")
		return strings.Contains(target, "</sys/fs/cgroup/")
	case "unshare", "setns", "sethostname", "chroot", "chdir", "pivot_root", "mount", "umount2", "execve", "execveat", "waitid":
		return true
	}
	return false
}

// Compare holds what was narrated against what strace saw, both ways: every
// narrated call was made by the side that tells of it, with these arguments and
// this result, in this order; and every listed call that the two sides made is
// narrated. It returns what is wrong.
func Compare(narrated []Narrated, traced []SystemCall, listed func(SystemCall) bool) (problems []string) {
	if len(traced) == 0 {
		return []string{"strace recorded nothing"}
	}
	host := traced[0].Process
	container := 0
	for _, n := range narrated {
		if container == 0 && n.Side == "host" && n.Errno == "" && (SystemCall{Name: n.Call, Args: n.Args}).MakesProcess() {
			container = n.Ret
		}
		if n.Side == "host" && n.PID != host {
			problems = append(problems, fmt.Sprintf("the host's side says that it is pid %d, but it is %d", n.PID, host))
		}
	}
	for side, process := range map[string]int{"host": host, "container": container} {
		made := callsOf(process, traced)
		if side == "host" {
			made = made[1:] // the execve that started the program was strace's
		}
		said := slices.DeleteFunc(slices.Clone(narrated), func(n Narrated) bool {
			return n.Side != side || n.Call == "" // an error has no call
		})
		for _, problem := range align(said, made, listed) {
			problems = append(problems, side+"'s side: "+problem)
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}

// callsOf returns the calls of a process up to the execve with which it becomes
// another program. What a signal made start again is there once.
func callsOf(process int, traced []SystemCall) (calls []SystemCall) {
	started := false
	for _, c := range traced {
		if c.Process != process || !c.Done {
			continue
		}
		calls = append(calls, c)
		if c.Name == "execve" && c.Errno == "" {
			if started && !strings.HasPrefix(c.Args, `"/proc/self/`) {
				return calls
			}
			started = started || strings.HasPrefix(c.Args, `"/proc/self/`)
		}
	}
	return calls
}

// align finds each call that was said among those that were made, in order.
func align(said []Narrated, made []SystemCall, listed func(SystemCall) bool) (problems []string) {
	next := 0
	for _, n := range said {
		found := slices.IndexFunc(made[next:], n.is)
		if found < 0 {
			problems = append(problems, fmt.Sprintf("narrated, but not made (or not there): %s%s", n, nearest(n, made)))
			continue
		}
		for _, c := range made[next : next+found] {
			if listed(c) {
				problems = append(problems, "made, but not narrated (or not there): "+c.String())
			}
		}
		next += found + 1
	}
	for _, c := range made[next:] {
		if listed(c) {
			problems = append(problems, "made, but not narrated (or not there): "+c.String())
		}
	}
	return problems
}

// nearest shows what strace saw of the same name.
func nearest(n Narrated, made []SystemCall) string {
	var text strings.Builder
	for _, c := range made {
		if c.Name == n.Call && (c.Name != "clone" || c.MakesProcess()) {
			text.WriteString("\n      strace: " + c.String())
		}
	}
	return text.String()
}

func itoa(n int) string { return strconv.Itoa(n) }

// at returns an element of a list, and says so when there is none.
func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}
