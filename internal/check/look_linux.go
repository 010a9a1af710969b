package check

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"gonsrun/internal/enclosure"
	"gonsrun/internal/proc"
)

var kinds = []string{"uts", "pid", "mnt", "ipc", "net", "user", "cgroup"}

// ownNamespaces lists the namespaces of a process that are not ours.
func ownNamespaces(pid int) (own []string) {
	for _, kind := range kinds {
		if theirs := proc.Namespace(strconv.Itoa(pid), kind); theirs != "" && theirs != proc.Namespace("self", kind) {
			own = append(own, kind)
		}
	}
	return own
}

// innerNumber is what a process in a PID namespace of its own calls itself, 0 for
// one that has none.
func innerNumber(pid int) int {
	if n := numbers(pid); len(n) > 1 {
		return n[len(n)-1]
	}
	return 0
}

// numbers are the pids of a process, from our PID namespace inward.
func numbers(pid int) (all []int) {
	for _, word := range strings.Fields(proc.StatusField(strconv.Itoa(pid), "NSpid")) {
		n, _ := strconv.Atoi(word)
		all = append(all, n)
	}
	return all
}

// lookAt asks the kernel about the command. It is nil for one that is gone. groups
// are those in which the program was started.
func lookAt(pid int, groups map[string]string) *look {
	l := &look{pid: pid, numbers: numbers(pid), own: map[string]bool{}}
	if len(l.numbers) == 0 {
		return nil
	}
	for _, kind := range ownNamespaces(pid) {
		l.own[kind] = true
	}
	l.hostname = hostnameOf(pid)
	dir := "/proc/" + strconv.Itoa(pid)
	environment, err := os.ReadFile(dir + "/environ")
	l.noPath = err == nil && !strings.Contains("\x00"+string(environment), "\x00PATH=")
	l.root, _ = os.Readlink(dir + "/root")
	l.cwd, _ = os.Readlink(dir + "/cwd")
	l.rootIsHosts = proc.SameFile(dir+"/root/", "/")
	l.cwdIsOutside = !leadsTo(dir+"/cwd", dir+"/root")
	l.procKind, l.strangers = procIn(dir+"/root/proc", proc.Namespace(strconv.Itoa(pid), "pid"))
	for _, other := range allProcesses() {
		if proc.Namespace(strconv.Itoa(other), "pid") != proc.Namespace(strconv.Itoa(pid), "pid") {
			continue
		}
		inner := numbers(other)
		if len(inner) == 0 {
			continue
		}
		if inner[len(inner)-1] == 1 {
			l.number1 = other
		}
	}
	l.rootShared = sharesRoot(pid)
	l.limits = limitsOf(pid, groups)
	return l
}

func allProcesses() (pids []int) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		pid, _ := strconv.Atoi(filepath.Base(entry))
		pids = append(pids, pid)
	}
	return pids
}

// leadsTo reports whether who goes up from a folder comes to the root.
func leadsTo(folder, root string) bool {
	var top, here, last unix.Stat_t
	fd, err := unix.Open(folder, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil || unix.Stat(root+"/", &top) != nil {
		return true // not seen, so nothing is said of it
	}
	for {
		if unix.Fstat(fd, &here) != nil || here.Dev == top.Dev && here.Ino == top.Ino {
			unix.Close(fd)
			return true
		}
		if here.Dev == last.Dev && here.Ino == last.Ino {
			unix.Close(fd)
			return false
		}
		last = here
		up, err := unix.Openat(fd, "..", unix.O_PATH|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		if err != nil {
			return true
		}
		fd = up
	}
}

// procIn says what is mounted at a folder /proc, and how many processes it lists
// that are not in the PID namespace.
func procIn(dir, namespace string) (kind string, strangers int) {
	const procMagic = 0x9fa0 // PROC_SUPER_MAGIC
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "nothing", 0
	}
	entries, _ := os.ReadDir(dir)
	switch {
	case int64(st.Type) != procMagic && len(entries) == 0:
		return "nothing", 0
	case int64(st.Type) != procMagic:
		return "other", 0
	}
	for _, entry := range entries {
		link, err := os.Readlink(dir + "/" + entry.Name() + "/ns/pid")
		if _, number := strconv.Atoi(entry.Name()); number == nil && err == nil && link != namespace {
			strangers++
		}
	}
	return "proc", strangers
}

// inNamespaces runs do on a thread that has entered namespaces of a process, and
// is no more used after that.
func inNamespaces(pid int, flag int, name string, do func()) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with this function
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/ns/%s", pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if flag == unix.CLONE_NEWNS && unix.Unshare(unix.CLONE_FS) != nil {
			return
		}
		if unix.Setns(fd, flag) == nil {
			do()
		}
	}()
	<-done
}

func hostname() string {
	var name unix.Utsname
	unix.Uname(&name)
	return unix.ByteSliceToString(name.Nodename[:])
}

func hostnameOf(pid int) (name string) {
	inNamespaces(pid, unix.CLONE_NEWUTS, "uts", func() { name = hostname() })
	return name
}

// mountTable is ours, without what only tells of propagation: that is judged for
// itself.
func mountTable() string { return proc.Read("/proc/thread-self/mountinfo") }

// sharesRoot reports whether the mount that a process's root is on has one of ours
// as a peer: then what is mounted there is mounted here, too.
func sharesRoot(pid int) (shares bool) {
	peers := map[string]bool{}
	for line := range strings.Lines(mountTable()) {
		peers[peer(line)] = true
	}
	delete(peers, "")
	root, err := unix.Open(fmt.Sprintf("/proc/%d/root", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(root)
	id := proc.Field(proc.Read(fmt.Sprintf("/proc/self/fdinfo/%d", root)), "mnt_id")
	var table string
	inNamespaces(pid, unix.CLONE_NEWNS, "mnt", func() {
		table = proc.Read(fmt.Sprintf("/proc/%d/task/%d/mountinfo", os.Getpid(), unix.Gettid()))
	})
	if table == "" { // its namespace has no /proc, or another one
		table = proc.Read(fmt.Sprintf("/proc/%d/mountinfo", pid))
	}
	for line := range strings.Lines(table) {
		if fields := strings.Fields(line); len(fields) > 5 && fields[0] == id && peers[peer(line)] {
			return true
		}
	}
	return false
}

// peer is the peer group of a mount, "" for a private one.
func peer(line string) string {
	for _, field := range strings.Fields(line) {
		if field == "-" {
			return ""
		}
		if group, ok := strings.CutPrefix(field, "shared:"); ok {
			return group
		}
	}
	return ""
}

// What lesson 6 limits, and to what. The quota of a CPU is told as a part of one.
var expectedLimits = []struct{ controller, v1, v2, expected string }{
	{"pids", "pids.max", "pids.max", "20"},
	{"memory", "memory.limit_in_bytes", "memory.max", "67108864"},
	{"cpu", "cpu.cfs_quota_us", "cpu.max", "50000 100000"},
}

// limitsOf reads the limits of a process, as far as this machine has the
// controllers.
func limitsOf(pid int, hosts map[string]string) (limits []limit) {
	theirs := groupsOf(strconv.Itoa(pid))
	for _, e := range expectedLimits {
		for _, tree := range enclosure.Trees() {
			if !slices.Contains(strings.Fields(tree.Controllers), e.controller) {
				continue
			}
			l := limit{controller: e.controller, tree: tree.Dir, v2: tree.V1 == "", expected: e.expected, file: e.v2}
			if !l.v2 {
				l.file = e.v1
			}
			below, err := filepath.Rel(tree.Root, theirs[tree.V1])
			if err != nil {
				below = "."
			}
			l.group, l.isHosts = filepath.Join(tree.Dir, below), theirs[tree.V1] == hosts[tree.V1]
			l.value = proc.Read(l.group + "/" + l.file)
			if l.controller == "cpu" && !l.v2 {
				l.value += " " + proc.Read(l.group+"/cpu.cfs_period_us")
			}
			l.right = sameLimit(l.controller, l.value, l.expected)
			limits = append(limits, l)
			break
		}
	}
	return limits
}

// groupsOf reads /proc/PID/cgroup: the path of the group in each tree, by the
// controllers of v1, "" for v2. See cgroups(7).
func groupsOf(pid string) map[string]string {
	groups := map[string]string{}
	for line := range strings.Lines(proc.Read("/proc/" + pid + "/cgroup")) {
		if fields := strings.SplitN(strings.TrimSpace(line), ":", 3); len(fields) == 3 {
			groups[fields[1]] = fields[2]
		}
	}
	return groups
}

// allGroups lists the cgroups that there are in the enclosure.
func allGroups() (groups []string) {
	for _, tree := range enclosure.Trees() {
		filepath.WalkDir(tree.Dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() && path != tree.Dir {
				groups = append(groups, path)
			}
			return nil
		})
	}
	return groups
}

// thaw lets frozen processes run, and so die.
func thaw() {
	groups := allGroups()
	for _, tree := range enclosure.Trees() {
		groups = append(groups, tree.Dir)
	}
	for _, group := range groups {
		for file, value := range map[string]string{"freezer.state": "THAWED", "cgroup.freeze": "0"} {
			if fd, err := unix.Open(group+"/"+file, unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
				unix.Write(fd, []byte(value))
				unix.Close(fd)
			}
		}
	}
}
