package lessontest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Two runs of a program that is no lesson do the same, too, but with any number of
// processes, in an order that nobody promises. What one process did is an account; a
// run is the set of its processes' accounts, and two runs are compared as sets. So
// nobody need know which process of the one run is which of the other.

// Whole says how to compare two runs of a program.
type Whole struct {
	Command string                // the file that becomes the container's command: what it does is not told
	Told    func(SystemCall) bool // whether such a call is told whenever it is made
	Same    func(string) string   // replaces what differs from run to run, such as a container's id
}

// Compare holds what was narrated against what strace -f -yy saw of a silent run, both
// ways. It returns what is wrong, and how many calls were compared.
func (w Whole) Compare(narrated []Narrated, traced []SystemCall) (problems []string, compared int) {
	said, made := w.said(narrated), w.made(traced)
	for _, account := range made {
		compared += strings.Count(account, "\n")
	}
	onlySaid, onlyMade := without(said, made), without(made, said)
	for _, account := range onlySaid {
		problems = append(problems, "told of a process, but none made exactly these calls:\n"+account+nearestAccount(account, onlyMade))
	}
	for _, account := range onlyMade {
		problems = append(problems, "made by a process, but told of none:\n"+account)
	}
	return problems, compared
}

// said are the accounts of what was narrated.
func (w Whole) said(narrated []Narrated) []string {
	byProcess := map[int]string{}
	for _, n := range narrated {
		if n.Errno != interrupted {
			byProcess[n.Host] += w.line(n.Call, n.Args, n.Ret, n.Errno) + "\n"
		}
	}
	return accounts(byProcess)
}

// made are the accounts of what strace saw.
func (w Whole) made(traced []SystemCall) []string {
	byProcess, ended := map[int]string{}, map[int]bool{}
	probes := probesOfGo(traced)
	for _, c := range traced[1:] { // the first is the execve of the program, by strace
		switch {
		case ended[c.Process] || !c.Done || c.Errno == interrupted || !w.Told(c):
			continue
		case isOfGo(c, c.Process) || c.MakesProcess() && probes[c.Ret]:
			continue
		}
		byProcess[c.Process] += w.line(c.Name, withoutAddresses(c), c.Ret, c.Errno) + "\n"
		ended[c.Process] = strings.HasPrefix(c.Name, "execve") && c.Errno == "" && strings.Contains(c.Args, strconv.Quote(w.Command)+", ")
	}
	return accounts(byProcess)
}

func accounts(byProcess map[int]string) (all []string) {
	for _, account := range byProcess {
		all = append(all, account)
	}
	slices.Sort(all)
	return all
}

// without are the accounts that the others have not.
func without(all, others []string) (rest []string) {
	others = slices.Clone(others)
	for _, account := range all {
		if i := slices.Index(others, account); i >= 0 {
			others = slices.Delete(others, i, i+1)
			continue
		}
		rest = append(rest, account)
	}
	return rest
}

// nearestAccount shows where the account that begins most like this one differs.
func nearestAccount(account string, others []string) string {
	lines, best, most := strings.Split(account, "\n"), "", -1
	for _, other := range others {
		same := 0
		for i, line := range strings.Split(other, "\n") {
			if i == len(lines) || lines[i] != line {
				break
			}
			same++
		}
		if same > most {
			best, most = other, same
		}
	}
	if most < 0 {
		return ""
	}
	theirs := strings.Split(best, "\n")
	return fmt.Sprintf("the nearest has the same %d calls at first; then comes\n  told: %s\n  made: %s", most, at(lines, most), at(theirs, most))
}

var (
	anyPid      = regexp.MustCompile(`(si_pid=|<pid:|/proc/|ns_pid=|nlmsg_pid=|nlmsg_seq=)\d+`)
	anyIndex    = regexp.MustCompile(`(if_nametoindex\("[^"]*"\)|ifi_index=\d+|IFLA_MASTER\}, \d+)`)
	ofItsPath   = regexp.MustCompile(`fd/\d+`)
	anyPipe     = regexp.MustCompile(`(pipe|socket|NETLINK|UNIX(?:-STREAM)?|net|mnt|user|pid|uts|ipc|cgroup):\[[^\]]*\]`)
	onlyDigits  = regexp.MustCompile(`^-?\d+$`)
	writtenPid  = regexp.MustCompile(`(cgroup\.procs|tasks)>, "\d+(\\n)?", \d+`)
	bareMessage = regexp.MustCompile(`(sendto|sendmsg|recvfrom|recvmsg)\(`)
)

// line is a call in one line, with names for what differs from run to run.
func (w Whole) line(name, args string, ret int, errno string) string {
	all := splitArguments(args)
	for i, arg := range all {
		switch {
		case (name == "wait4" || name == "setpgid" || name == "waitid") && onlyDigits.MatchString(arg) && len(arg) > 2:
			arg = "PID"
		case !strings.HasPrefix(arg, `"`):
			arg = openFile.ReplaceAllString(arg, "${1}FD<")
		}
		arg = anyPid.ReplaceAllString(arg, "${1}N")
		arg = ofItsPath.ReplaceAllString(arg, "fd/N")
		all[i] = anyPipe.ReplaceAllString(arg, "$1:[N]")
	}
	text := writtenPid.ReplaceAllString(strings.Join(all, ", "), "$1>, PID")
	result := strconv.Itoa(ret)
	if ret > 1 && errno == "" && (name == "wait4" || name == "setsid" || name == "write" || name == "keyctl" || SystemCall{Name: name, Args: args}.MakesProcess()) {
		result = "N"
	}
	if name == "openat" || name == "open_tree" || name == "fsopen" || name == "fsmount" || name == "fspick" || name == "bpf" {
		if errno == "" {
			result = "FD"
		}
	}
	if errno != "" {
		result += " " + errno
	}
	text = name + "(" + text + ") = " + result
	if w.Same != nil {
		text = w.Same(text)
	}
	return text
}
