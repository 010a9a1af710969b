package lessontest

import (
	"maps"
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
	Execve  bool                  // the program's own execve is told, as explain does
	Command string                // the file that becomes the container's command: what it does is not told
	Told    func(SystemCall) bool // whether such a call is told whenever it is made
	Races   func(string) bool     // whether a call is made by who lives on when the program has ended, or is not
	Same    func(string) string   // replaces what differs from run to run, such as a container's id
}

// Compare holds what was narrated against what strace -f -yy saw of a silent run, both
// ways. It returns what is wrong, and how many calls were compared.
func (w Whole) Compare(narrated []Narrated, traced []SystemCall) (problems []string, compared int) {
	said, made := w.said(narrated), w.made(traced)
	for _, account := range made {
		compared += len(account)
	}
	onlySaid, onlyMade := without(said, made), without(made, said)
	for _, account := range onlySaid {
		near := nearestAccount(account, onlyMade)
		if near >= 0 {
			problems = append(problems, differ(account, onlyMade[near])...)
			onlyMade = slices.Delete(onlyMade, near, near+1)
			continue
		}
		problems = append(problems, "told of a process that there was not:\n    "+strings.Join(account, "\n    "))
	}
	for _, account := range onlyMade {
		problems = append(problems, "made by a process of which nothing is told:\n    "+strings.Join(account, "\n    "))
	}
	return problems, compared
}

// account is what one process did, a call a line.
type processAccount []string

// said are the accounts of what was narrated.
func (w Whole) said(narrated []Narrated) []processAccount {
	byProcess := map[int]processAccount{}
	for _, n := range narrated {
		line := w.line(n.Call, n.Args, n.Ret, n.Errno)
		if n.Call != "" && n.Errno != interrupted && (w.Races == nil || !w.Races(line)) {
			byProcess[n.Host] = append(byProcess[n.Host], line)
		}
	}
	return accounts(byProcess)
}

// made are the accounts of what strace saw.
func (w Whole) made(traced []SystemCall) []processAccount {
	byProcess, ended := map[int]processAccount{}, map[int]bool{}
	probes := probesOfGo(traced)
	if !w.Execve && len(traced) > 0 {
		traced = traced[1:] // the execve of the program, by strace
	}
	for _, c := range traced {
		switch {
		case ended[c.Process] || !c.Done || c.Errno == interrupted || !w.Told(c):
			continue
		case isOfGo(c, c.Process) || c.MakesProcess() && probes[c.Ret]:
			continue
		}
		line := w.line(c.Name, withoutAddresses(c), c.Ret, c.Errno)
		if w.Races == nil || !w.Races(line) {
			byProcess[c.Process] = append(byProcess[c.Process], line)
		}
		ended[c.Process] = strings.HasPrefix(c.Name, "execve") && c.Errno == "" && strings.HasPrefix(c.Args, strconv.Quote(w.Command)+", ")
	}
	return accounts(byProcess)
}

func accounts(byProcess map[int]processAccount) (all []processAccount) {
	for _, process := range slices.Sorted(maps.Keys(byProcess)) {
		all = append(all, byProcess[process])
	}
	return all
}

// without are the accounts that the others have not.
func without(all, others []processAccount) (rest []processAccount) {
	others = slices.Clone(others)
	for _, account := range all {
		i := slices.IndexFunc(others, func(other processAccount) bool { return slices.Equal(account, other) })
		if i >= 0 {
			others = slices.Delete(others, i, i+1)
			continue
		}
		rest = append(rest, account)
	}
	return rest
}

// nearestAccount finds the account that has most calls in common with this one, -1 for
// none.
func nearestAccount(account processAccount, others []processAccount) (best int) {
	best, most := -1, 0
	for i, other := range others {
		same := 0
		for _, call := range account {
			if slices.Contains(other, call) {
				same++
			}
		}
		if same > most {
			best, most = i, same
		}
	}
	return best
}

// differ says what two accounts of one process do not have in common, or that only the
// order is another.
func differ(said, made processAccount) (problems []string) {
	rest := slices.Clone(made)
	for _, call := range said {
		if i := slices.Index(rest, call); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			continue
		}
		problems = append(problems, "told, but not made (or not so often): "+call)
	}
	for _, call := range rest {
		problems = append(problems, "made, but not told (or not so often): "+call)
	}
	if problems == nil {
		for i := range said {
			if said[i] != made[i] {
				return []string{"told in another order: " + said[i] + ", and made: " + made[i]}
			}
		}
	}
	return problems
}

var (
	straceNote = regexp.MustCompile(` /\* [^*]* \*/`)
	filterAt   = regexp.MustCompile(`filter=0x[0-9a-f]+`)
	anyPid     = regexp.MustCompile(`(si_pid=|<pid:|/proc/|ns_pid=|nlmsg_pid=|nlmsg_seq=)\d+`)
	message    = regexp.MustCompile(`nlmsg_type=\S+, nlmsg_flags=[^,]+`)
	ofItsPath  = regexp.MustCompile(`fd/\d+`)
	anyPipe    = regexp.MustCompile(`(pipe|socket|NETLINK|UNIX(?:-STREAM)?|net|mnt|user|pid|uts|ipc|cgroup):\[[^\]]*\]`)
	onlyDigits = regexp.MustCompile(`^-?\d+$`)
	writtenPid = regexp.MustCompile(`(cgroup\.procs|tasks)>, "\d+(\\n)?", \d+`)
)

// line is a call in one line, with names for what differs from run to run. Of netlink
// messages there are only the types and flags: strace does not decode those of another
// network namespace. How they are decoded is tested where that is done.
func (w Whole) line(name, args string, ret int, errno string) string {
	args = straceNote.ReplaceAllString(filterAt.ReplaceAllString(args, "filter=…"), "")
	if strings.HasPrefix(name, "recv") {
		args = "…, [nlmsg_type=NLMSG_ERROR, …], …"
	}
	if messages := message.FindAllString(args, -1); messages != nil && strings.HasPrefix(name, "send") {
		args = "…, [" + strings.Join(messages, "; ") + "], …"
	}
	all := splitArguments(args)
	for i, arg := range all {
		switch {
		case (name == "wait4" && i == 0 || name == "waitid" && i == 1) && onlyDigits.MatchString(arg) && arg != "-1" && arg != "0":
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
