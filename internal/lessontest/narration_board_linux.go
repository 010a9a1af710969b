package lessontest

import (
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// boardPlace is what the board says of one place.
type boardPlace struct{ state, fact string }

var boardCell = regexp.MustCompile(`[■□] (\S+) +(own|host's|none) *((?:[^■□\n]|$)*)`)

// readBoard reads the isolation board in a narration.
func readBoard(narration string) map[string]boardPlace {
	board := map[string]boardPlace{}
	for _, cell := range boardCell.FindAllStringSubmatch(colors.ReplaceAllString(narration, ""), -1) {
		fact, _, _ := strings.Cut(cell[3], "\n")
		fact = strings.TrimSpace(fact)
		if fact == "see below" && cell[1] != "limits" { // it was too wide
			_, fact, _ = strings.Cut(unwrap(narration), " "+cell[1]+": ")
			fact, _, _ = strings.Cut(fact, " ")
		}
		board[cell[1]] = boardPlace{cell[2], fact}
	}
	return board
}

// boardIs compares the board with what the kernel says of the command and of
// the host's side, while they run. limits is what the board should say of those.
func (l Lesson) boardIs(t *testing.T, command *exec.Cmd, start func(func())) {
	t.Helper()
	var running *Running
	start(func() { running = StartCommand(t, command) })
	host := running.Pid()
	inside := find(t, host, "cat").pid
	want := map[string]boardPlace{}
	link := func(pid int, name string) string {
		target, _ := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, name))
		return target
	}
	state := func(same bool) string { return map[bool]string{true: "host's", false: "own"}[same] }
	for _, kind := range []string{"uts", "pid", "mnt", "ipc", "net", "cgroup", "user"} {
		theirs := link(inside, "ns/"+kind)
		want[kind] = boardPlace{state(theirs == link(host, "ns/"+kind)), strings.TrimPrefix(theirs, kind+":")}
	}
	var root, hostRoot, procRoot unix.Stat_t
	unix.Stat(fmt.Sprintf("/proc/%d/root/", inside), &root)
	unix.Stat(fmt.Sprintf("/proc/%d/root/", host), &hostRoot)
	identity := func(st unix.Stat_t) string {
		return fmt.Sprintf("%d:%d/%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	}
	want["root"] = boardPlace{state(root.Dev == hostRoot.Dev && root.Ino == hostRoot.Ino), identity(root)}

	unix.Stat(fmt.Sprintf("/proc/%d/root/proc", inside), &procRoot)
	first := proc.Read(fmt.Sprintf("/proc/%d/root/proc/1/cmdline", inside))
	switch { // number 1 of its /proc is the command itself, or somebody else
	case first == "":
		want["/proc"] = boardPlace{"none", "not mounted"}
	default:
		want["/proc"] = boardPlace{state(strings.Trim(first, "\x00") != "cat"), identity(procRoot)}
	}

	want["limits"] = boardPlace{"host's", "no group"}
	if dirs := groupDirs(inside); len(dirs) > 0 && strings.Join(dirs, " ") != strings.Join(groupDirs(host), " ") {
		want["limits"] = boardPlace{"own", "see below"}
	}
	theirs, hosts := capEff(inside), capEff(host)
	last, _ := strconv.Atoi(strings.TrimSpace(proc.Read("/proc/sys/kernel/cap_last_cap")))
	sameCaps := theirs == hosts && proc.StatusField(itoa(inside), "CapBnd") == proc.StatusField(itoa(host), "CapBnd")
	want["caps"] = boardPlace{state(sameCaps), fmt.Sprintf("%d of %d", bits.OnesCount64(theirs), last+1)}
	want["seccomp"] = boardPlace{"none", "off"}
	if proc.StatusField(itoa(inside), "Seccomp") == "2" {
		want["seccomp"] = boardPlace{"host's", "filter"}
	}

	limits := limitsOf(inside, host)
	result := running.Wait().Exits(0)
	board := readBoard(result.Stderr)
	for name, place := range want {
		if board[name] != place {
			result.fail("the board says of %s what the kernel says: %v, and not %v", name, place, board[name])
		}
	}
	if len(board) != len(want) {
		result.fail("a board of %d places, and not %d", len(want), len(board))
	}
	for _, limit := range limits {
		result.Says(limit)
	}
	if (want["limits"].state == "own") != strings.Contains(unwrap(result.Stderr), "limits: ") {
		result.fail("limits below the board, if and only if there are any")
	}
}

// capEff is the set of effective capabilities of a process.
func capEff(pid int) uint64 {
	set, _ := strconv.ParseUint(proc.StatusField(itoa(pid), "CapEff"), 16, 64)
	return set
}

// limitsOf are the limits of a process's cgroups that the host's side is not in,
// as the board writes them.
func limitsOf(pid, host int) (limits []string) {
	if strings.Join(groupDirs(pid), " ") == strings.Join(groupDirs(host), " ") {
		return nil
	}
	for _, dir := range groupDirs(pid) {
		if n := proc.Read(dir + "/pids.max"); n != "" && n != "max" {
			limits = append(limits, n+" pids")
		}
		for _, file := range []string{"/memory.max", "/memory.limit_in_bytes"} {
			if n, err := strconv.Atoi(proc.Read(dir + file)); err == nil {
				limits = append(limits, itoa(n>>20)+" MiB")
			}
		}
		if proc.Read(dir+"/cpu.max") == "50000 100000" || proc.Read(dir+"/cpu.cfs_quota_us") == "50000" {
			limits = append(limits, "0.5 CPU")
		}
	}
	return limits
}

func simply(start func()) { start() }

func (l Lesson) boardIsTrue(t *testing.T) {
	l.boardIs(t, l.command("run", "cat"), simply)
	if l.Number == 1 {
		l.boardIs(t, l.AsOrdinaryUser(t).command("run", "cat"), simply)
	}
	if l.Number == 6 {
		l.Type(t, "run", "cat").Says("limits:", "20 pids", "64 MiB", "0.5 CPU")
	}
}

// boardOfLimited has a starter with limits, fewer rights and a filter of its own:
// what the command has like its starter is "host's".
func (l Lesson) boardOfLimited(t *testing.T) {
	NeedRoot(t)
	// A filter that refuses what nobody calls.
	l.boardIs(t, l.command("run", "cat"), func(start func()) {
		refusing(t, []refusal{{unix.SYS_ACCT, 0, 0, 0, unix.EPERM}}, start)
	})
	// Fewer capabilities, for good.
	l.boardIs(t, l.command("run", "cat"), func(start func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // the thread ends with its sets
			for _, right := range []uintptr{unix.CAP_NET_RAW, unix.CAP_NET_ADMIN} {
				unix.Prctl(unix.PR_CAPBSET_DROP, right, 0, 0, 0)
			}
			start()
		}()
		<-done
	})
	// A cgroup with a limit: of v1, where a group may hold processes and groups.
	for _, tree := range cgroupTrees() {
		if tree.v1 != "pids" {
			continue
		}
		dir := tree.dir + "/gonsrun-limited-" + itoa(os.Getpid())
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		defer func() { Eventually(Patience, func() bool { return unix.Rmdir(dir) != syscall.EBUSY }) }()
		os.WriteFile(dir+"/pids.max", []byte("77"), 0)
		command := l.command()
		command.Path = "/bin/sh"
		command.Args = []string{"sh", "-c", `echo $$ >"$0/cgroup.procs"; exec "$@"`, dir, Program(), "run", "cat"}
		l.boardIs(t, command, simply)
		return
	}
}
