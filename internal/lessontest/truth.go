package lessontest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Two runs of a lesson do the same, but for pids, file descriptors, addresses
// and times. An account is what one of them did, or told, with a name in the
// place of each of those: so two accounts can be compared word for word.
type account struct {
	host, container []string
	strangers       []string // listed calls of processes that are neither side
}

// interrupted is an answer that a signal makes, as Go sends itself when it likes
// to: it makes the call again. Some runs have that, and some do not.
const interrupted = "EINTR"

// told is the account of what a lesson narrated. hostPID is the pid of the
// program that was started.
func told(narrated []Narrated, hostPID int) (a account) {
	pids := map[int]string{hostPID: "HOST"}
	for _, n := range narrated {
		if n.Side == "host" && n.Errno == "" && n.Call == "clone" {
			pids[n.Ret] = "CONTAINER"
		}
	}
	for _, n := range narrated {
		if n.Call == "" || n.Errno == interrupted {
			continue // an error that the program itself tells
		}
		line := comparableCall(n.Call, n.Args, n.Ret, n.Errno, pids)
		switch n.Side {
		case "host":
			a.host = append(a.host, line)
		case "container":
			a.container = append(a.container, line)
		default:
			a.strangers = append(a.strangers, "side "+n.Side+": "+line)
		}
	}
	return a
}

// seen is the account of what strace saw: of the calls that a lesson must tell,
// without those that Go makes for itself.
func seen(traced []SystemCall) (a account) {
	if len(traced) == 0 {
		return a
	}
	host, container := traced[0].Process, 0
	probes := probesOfGo(traced)
	isOfGo := func(c SystemCall) bool { return isOfGo(c, host) || c.MakesProcess() && probes[c.Ret] }
	for _, c := range traced[1:] { // the first is the execve of the program, by strace
		if container == 0 && c.Process == host && c.Done && c.Errno == "" && c.MakesProcess() && !isOfGo(c) {
			container = c.Ret
		}
	}
	pids := map[int]string{host: "HOST", container: "CONTAINER"}
	isCommand := false
	for _, c := range traced[1:] {
		if !c.Done || c.Errno == interrupted || !MustBeTold(c) || c.Process == host && isOfGo(c) {
			continue
		}
		line := comparableCall(c.Name, withoutAddresses(c), c.Ret, c.Errno, pids)
		switch {
		case c.Process == host:
			a.host = append(a.host, line)
		case isCommand: // and whatever it starts
		case c.Process == container:
			a.container = append(a.container, line)
			isCommand = c.Name == "execve" && c.Errno == "" && !strings.HasPrefix(c.Args, `"/proc/self/exe", ["/proc/self/exe", "child"`)
		default:
			a.strangers = append(a.strangers, fmt.Sprintf("process %d: %s", c.Process, line))
		}
	}
	return a
}

// MustBeTold reports whether a call is one that a lesson tells whenever it makes
// it.
func MustBeTold(c SystemCall) bool {
	inCgroupTree := strings.Contains(c.Args, `"/sys/fs/cgroup/`)
	switch c.Name {
	case "clone", "clone3", "fork", "vfork":
		return c.MakesProcess()
	case "mkdir", "mkdirat", "rmdir":
		return inCgroupTree
	case "unlinkat":
		return inCgroupTree && strings.Contains(c.Args, "AT_REMOVEDIR")
	case "write":
		target, _, _ := strings.Cut(c.Args, ",")
		return strings.Contains(target, "</sys/fs/cgroup/")
	case "prctl":
		return strings.HasPrefix(c.Args, "PR_SET_PDEATHSIG")
	case "waitid", "wait4":
		return !strings.Contains(c.Args, "WNOHANG")
	case "unshare", "setns", "sethostname", "setdomainname", "chroot", "chdir", "fchdir", "pivot_root", "mount", "umount2", "execve", "execveat":
		return true
	}
	return false
}

var (
	pidfdOf   = regexp.MustCompile(`^P_PIDFD, \d+<pid:(\d+)>, ([^,]+)`)
	exitsWith = regexp.MustCompile(`flags=[A-Z_0-9|]*\bSIG`)
)

// isOfGo reports whether the Go runtime makes a call to learn what this kernel's
// pidfds can do: it waits for a pidfd of itself, which no parent would; it makes
// a process that ends without a signal to anybody, and waits for that; or it does
// not want to know how the process ended that it waits for. See os.checkPidfd.
func isOfGo(c SystemCall, host int) bool {
	switch c.Name {
	case "clone":
		return !exitsWith.MatchString(c.Args)
	case "waitid":
		of := pidfdOf.FindStringSubmatch(c.Args)
		return of != nil && (of[1] == strconv.Itoa(host) && c.Errno == "ECHILD" || of[2] == "NULL") || strings.Contains(c.Args, "__WCLONE")
	}
	return false
}

// probesOfGo are the processes that Go has made to learn that.
func probesOfGo(traced []SystemCall) map[int]bool {
	probes := map[int]bool{}
	for _, c := range traced {
		if of := pidfdOf.FindStringSubmatch(c.Args); c.Name == "waitid" && of != nil && of[2] == "NULL" {
			pid, _ := strconv.Atoi(of[1])
			probes[pid] = true
		}
	}
	return probes
}

var (
	address  = regexp.MustCompile(`^0x[0-9a-f]+( /\* \d+ vars \*/)?$`)
	ownTimes = regexp.MustCompile(`si_utime=[^,}]*, si_stime=[^,}]*}$`)
	pidAfter = regexp.MustCompile(`(si_pid=|<pid:|gonsrun-step06-)(\d+)`)
	openFile = regexp.MustCompile(`(^|[ \[])\d+<`)
)

// withoutAddresses is what strace wrote of a call's arguments, with … where an
// address or a time stands: these may be left out, and nothing else.
func withoutAddresses(c SystemCall) string {
	args := splitArguments(c.Args)
	for i, arg := range args {
		name, value, named := strings.Cut(arg, "=")
		switch {
		case c.Name == "clone" && named && name != "flags" && value != "NULL":
			args[i] = name + "=…"
		case address.MatchString(arg):
			args[i] = "…"
		case c.Name == "waitid" && i == 2:
			args[i] = ownTimes.ReplaceAllString(arg, "…}")
		case (c.Name == "waitid" && i == 4 || c.Name == "wait4" && i == 3) && arg != "NULL":
			args[i] = "…"
		}
	}
	return strings.Join(args, ", ")
}

// splitArguments splits arguments as strace prints them.
func splitArguments(text string) (args []string) {
	depth, begin, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case strings.IndexByte("[{(", c) >= 0:
			depth++
		case strings.IndexByte("]})", c) >= 0:
			depth--
		case c == ',' && depth == 0 && strings.HasPrefix(text[i:], ", "):
			args, begin = append(args, text[begin:i]), i+2
		}
	}
	return append(args, text[begin:])
}

// comparableCall is a call in one line, with names for pids and file descriptors.
func comparableCall(name, args string, ret int, errno string, pids map[int]string) string {
	pidName := func(text string) string {
		pid, _ := strconv.Atoi(text)
		if name, ok := pids[pid]; ok {
			return name
		}
		return text
	}
	all := splitArguments(args)
	for i, arg := range all {
		if name == "waitid" && i == 1 && all[0] == "P_PID" || name == "wait4" && i == 0 {
			arg = pidName(arg)
		}
		if !strings.HasPrefix(arg, "[") {
			arg = pidAfter.ReplaceAllStringFunc(arg, func(match string) string {
				parts := pidAfter.FindStringSubmatch(match)
				return parts[1] + pidName(parts[2])
			})
		}
		if !strings.HasPrefix(arg, `"`) {
			arg = openFile.ReplaceAllString(arg, "${1}FD<")
		}
		all[i] = arg
	}
	result := strconv.Itoa(ret)
	if (name == "wait4" || SystemCall{Name: name, Args: args}.MakesProcess()) && errno == "" {
		result = pidName(result)
	}
	if errno != "" {
		result += " " + errno
	}
	return name + "(" + strings.Join(all, ", ") + ") = " + result
}

// differences holds what was told against what was seen, both ways. It returns
// what is wrong, and how many calls were compared.
func differences(said, made account) (problems []string, compared int) {
	for _, side := range []struct {
		name       string
		said, made []string
	}{{"host", said.host, made.host}, {"container", said.container, made.container}} {
		compared += len(side.made)
		if slices.Equal(side.said, side.made) {
			continue
		}
		problems = append(problems, side.name+"'s side:")
		i, j := 0, 0
		for i < len(side.said) || j < len(side.made) {
			switch {
			case i < len(side.said) && j < len(side.made) && side.said[i] == side.made[j]:
				i, j = i+1, j+1
			case i < len(side.said) && (j == len(side.made) || !slices.Contains(side.made[j:], side.said[i])):
				problems = append(problems, "  told, but not made (or not there): "+side.said[i])
				i++
			default:
				problems = append(problems, "  made, but not told (or not there): "+side.made[j])
				j++
			}
		}
	}
	for _, stranger := range append(said.strangers, made.strangers...) {
		problems = append(problems, "neither side's: "+stranger)
	}
	return problems, compared
}
