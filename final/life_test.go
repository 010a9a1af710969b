//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
	"gonsrun/internal/proc"
)

// A detached container goes on when the command that started it has ended, is
// listed, prints into its log, and is stopped.
func TestDetached(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		id := detached(t, who, "-name", "web", "sh", "-c", "echo out; echo err >&2; trap 'echo bye; exit 5' TERM; while :; do sleep 0.05; done")
		who.Type(t, "ps").PrintsMatch(`(?m)^` + id + `\s+web\s+sh -c .*running`)
		expectLog(t, who, "web", "out\nerr\n")
		if again := who.Type(t, "run", "-d", "-name", "web", "true").Prints("").Says("web", "name").Exits(125); again.Status == 125 {
			who.Type(t, "ps", "-a").PrintsMatch(`^[^\n]*\n[^\n]*\n$`) // nothing was made
		}

		who.Type(t, "ps", "-q").Prints(id + "\n")
		who.Type(t, "stop", "-t", "10000000000", "web").Prints("").Says("-t 10000000000").Exits(125)
		who.Type(t, "stop", "web").Prints("web\n").Exits(0)
		expectLog(t, who, id, "out\nerr\nbye\n")
		who.Type(t, "ps").PrintsMatch(`^ID[^\n]*\n$`)
		who.Type(t, "ps", "-a").PrintsMatch(`(?m)^` + id + `\s+web\s.*stopped \(5\)`)
		who.Type(t, "rm", id[:5]).Exits(0)
		who.Type(t, "ps", "-a").PrintsMatch(`^ID[^\n]*\n$`)
		who.Type(t, "logs", "web").Prints("").Says(`"web"`).Exits(125)
	})
}

// expectLog waits until the log of a container has this text.
func expectLog(t *testing.T, who lessontest.Lesson, container, text string) {
	t.Helper()
	var log *lessontest.Result
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		log = who.Type(t, "logs", container)
		return log.Stdout == text
	}) {
		log.Prints(text)
	}
}

// Narrated, -d returns, too, and neither it nor its narrator holds on to what the
// reader's shell waits for; nobody traces the container any longer.
func TestDetachedAndNarrated(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		result := who.Type(t, "run", "-d", "-network", "none", "sleep", "1000").Exits(0).PrintsMatch(`^[0-9a-f]{12}\n$`).Says("clone", "execve")
		id := strings.TrimSpace(result.Stdout)
		t.Cleanup(func() { who.Type(t, "rm", "-f", id) })
		var inspected struct{ State State }
		if err := json.Unmarshal([]byte(who.Type(t, "inspect", "-json", id).Stdout), &inspected); err != nil {
			t.Fatal(err)
		}
		if tracer := proc.StatusField(fmt.Sprint(inspected.State.PID), "TracerPid"); tracer != "0" {
			t.Errorf("process %s traces the container", tracer)
		}
		who.Type(t, "run", "-d", "-network", "none", "nosuchcommand").Exits(127).Prints("").Says("nosuchcommand")
	})
}

// A container that does not listen to SIGTERM is killed when the time is over.
func TestStopKills(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-network", "none", "sleep", "1000") // pid 1 has no default actions
	start := time.Now()
	lesson.Type(t, "stop", "-t", "1", id).Exits(0)
	if took := time.Since(start); took < time.Second || took > 5*lessontest.Soon {
		t.Errorf("stop -t 1 took %v", took)
	}
	lesson.Type(t, "ps", "-a").PrintsMatch(`stopped \(137\)`)
	lesson.Type(t, "stop", id).Exits(0) // it is stopped already
}

// kill sends the signal that is asked for.
func TestKillSignal(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-network", "none", "sh", "-c", "trap 'echo hup; exit 3' HUP; echo ready; while :; do sleep 0.05; done")
	expectLog(t, lesson, id, "ready\n")
	lesson.Type(t, "kill", "-s", "nosuch", id).Says("nosuch").Exits(125)
	lesson.Type(t, "kill", "-s", "9abc", id).Says("9abc").Exits(125)
	lesson.Type(t, "rm", "-f", "").Says("empty").Exits(125)
	lesson.Type(t, "kill", "-s", "HUP", id).Prints(id + "\n").Exits(0)
	expectLog(t, lesson, id, "ready\nhup\n")
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		return strings.Contains(lesson.Type(t, "ps", "-a").Stdout, "stopped (3)")
	}) {
		t.Error("kill -s HUP did not end the container with its exit status 3")
	}
	lesson.Type(t, "kill", id).Says("not running").Exits(125)
}

// -rm removes a detached container at its end; rm wants a running one forced.
func TestRemove(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "-quiet", "run", "-d", "-rm", "-network", "none", "true").Exits(0)
	if !lessontest.Eventually(lessontest.Patience, func() bool { return len(folders("/run/gonsrun")) == 0 }) {
		t.Error("a container with -rm is still there")
	}
	id := detached(t, lesson, "-network", "none", "sleep", "1000")
	lesson.Type(t, "rm", id).Says("running", "rm -f").Exits(125)
	lesson.Type(t, "rm", "-f", id, "nosuchcontainer").Prints(id + "\n").Says("nosuchcontainer").Exits(125)
}

// Names and beginnings of ids find a container, when they mean only one.
func TestFind(t *testing.T) {
	asRoot(t)
	var ids []string
	first := map[byte]bool{}
	ambiguous := ""
	for ambiguous == "" && len(ids) < 17 { // of 17, two begin with the same digit
		id := detached(t, lesson, "-network", "none", "true")
		if first[id[0]] {
			ambiguous = id[:1]
		}
		first[id[0]] = true
		ids = append(ids, id)
	}
	lesson.Type(t, "inspect", ambiguous).Prints("").Says(ambiguous, "beginning").Exits(125)
	lesson.Type(t, "inspect", ids[0][:11]).PrintsMatch(ids[0]).Exits(0)
	lesson.Type(t, append([]string{"rm", "-f"}, ids...)...).Prints(strings.Join(ids, "\n") + "\n").Exits(0)
	lesson.Type(t, "inspect", ids[0]).Says(ids[0], "no container").Exits(125)
}

// What only waits, a signal ends, as any other program.
func TestWaitIsInterrupted(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-network", "none", "sh", "-c", "trap '' TERM; echo begun; while :; do sleep 1; done")
	for _, args := range [][]string{{"logs", "-f", id}, {"stop", "-t", "1000", id}} {
		waiting := exec.Command(lessontest.Program(), args...)
		if err := waiting.Start(); err != nil {
			t.Fatal(err)
		}
		if !lessontest.Eventually(lessontest.Patience, func() bool { return waitsIn(waiting.Process.Pid, unix.SYS_PPOLL) }) {
			t.Errorf("%v does not wait", args)
		}
		waiting.Process.Signal(unix.SIGINT)
		waiting.Wait()
		if status := waiting.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != unix.SIGINT {
			t.Errorf("%v ended with %v, expected SIGINT", args, waiting.ProcessState)
		}
	}
}

// waitsIn reports whether a process has a thread that waits in a system call.
func waitsIn(pid, call int) bool {
	calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
	for _, file := range calls {
		text, _ := os.ReadFile(file)
		if number, _, _ := strings.Cut(string(text), " "); number == fmt.Sprint(call) {
			return true
		}
	}
	return false
}

// A log of 100 MB is whole and in order, and logs -f ends with the container.
func TestLog(t *testing.T) {
	asRoot(t)
	lines := lessontest.Sized(1_000_000, 20_000) // of 100 bytes each
	id := detached(t, lesson, "-network", "none", "sh", "-c",
		fmt.Sprintf(`awk 'BEGIN { for (i = 0; i < %d; i++) printf "%%099d\n", i }'`, lines))
	follow := exec.Command(lessontest.Program(), "logs", "-f", id)
	output, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	limit := time.AfterFunc(3*lessontest.Patience, func() { follow.Process.Kill() })
	defer limit.Stop()
	n := 0
	scanner := bufio.NewScanner(output)
	for ; scanner.Scan(); n++ {
		if want := fmt.Sprintf("%099d", n); scanner.Text() != want {
			t.Errorf("line %d of the log is %q", n, scanner.Text())
			follow.Process.Kill()
			break
		}
	}
	if err := follow.Wait(); err != nil || n != lines {
		t.Errorf("logs -f ended with %v after %d lines, expected %d", err, n, lines)
	}
	if whole, err := exec.Command(lessontest.Program(), "logs", id).Output(); err != nil || len(whole) != lines*100 {
		t.Errorf("logs printed %d bytes, expected %d: %v", len(whole), lines*100, err)
	}
	used := 0
	for _, name := range []string{"log", "log.1"} {
		if info, err := os.Stat("/run/gonsrun/" + id + "/" + name); err == nil {
			used += int(info.Size())
		}
	}
	if used > 129<<20 {
		t.Errorf("the log takes %d bytes, expected 128 MiB at most", used)
	}
}

// exec runs one more command where the container is, and what it has.
func TestExec(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		id := detached(t, who, "-hostname", "box", "-e", "COLOR=blue", "-w", "/tmp", "sleep", "1000")
		run := func(args ...string) *lessontest.Result {
			return who.Type(t, append([]string{"-quiet", "exec"}, args...)...)
		}
		run(id, "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7).IsSilent()
		who.TypeInto(t, "data", "-quiet", "exec", "-i", id, "cat").Prints("data").Exits(0)
		run(id, "nosuchcommand").Prints("").Says("nosuchcommand").Exits(127)
		run(id, "/bin").Says("/bin").Exits(126)
		run(id, "/bin/sh", "-c", "hostname; echo $COLOR; pwd; cd /proc; echo [0-9]*").PrintsMatch(`^box\nblue\n/tmp\n1 \d+\n$`)
		run("-e", "COLOR=red", "-w", "/etc", id, "/bin/sh", "-c", "echo $COLOR; pwd").Prints("red\n/etc\n")
		run("-w", "etc", id, "true").Says("-w etc", "absolute").Exits(125)
		run("-e", "COLOR", id, "true").Says("COLOR").Exits(125)
		if os.Geteuid() == 0 && who == lesson {
			run("-user", "1000:1001", id, "/bin/sh", "-c", "id -u; id -g").Prints("1000\n1001\n")
		}
		// The rights are those of the first process.
		fields := "Cap...|Seccomp|NoNewPrivs"
		same := fmt.Sprintf(`grep -E '^(%[1]s):' /proc/1/status >/tmp/first; grep -E '^(%[1]s):' /proc/self/status | diff /tmp/first -`, fields)
		run(id, "/bin/sh", "-c", same).Prints("").Exits(0)
		for _, ns := range []string{"uts", "pid", "mnt", "ipc", "net", "cgroup", "user"} {
			run(id, "/bin/sh", "-c", "test /proc/1/ns/"+ns+" -ef /proc/self/ns/"+ns).Exits(0)
		}
		run(id, "/bin/sh", "-c", "cat /proc/1/cgroup >/tmp/first; diff /tmp/first /proc/self/cgroup").Prints("").Exits(0)
		run("nosuchcontainer", "true").Says("nosuchcontainer").Exits(125)

		terminal := commandOf(t, who, lessontest.Program(), "-quiet", "exec", "-it", id, "/bin/sh")
		terminal.Env = append(terminal.Env, "TERM=xterm")
		term := lessontest.NewTerminal(t, 90, terminal)
		term.Type("tty; stty size\n")
		term.Expect("/dev/pts/")
		term.Expect("50 90")
		term.Type("exit 4\n")
		if status := term.Wait(); status != 4 {
			t.Errorf("exec -it ended with %d, expected 4", status)
		}
		who.Type(t, "rm", "-f", id).Exits(0)
		run(id, "true").Says(id).Exits(125)
	})
}

// The keeper of a detached container goes on when the terminal hangs up; killed,
// it takes the container with it, and the next command sweeps.
func TestKeeper(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-network", "none", "sleep", "1000")
	state := inspect(t, id)
	keeper := parent(t, state.PID)
	if gone(keeper) || keeper == os.Getpid() {
		t.Fatalf("the parent of the container's first process is %d", keeper)
	}
	if session, _ := unix.Getsid(keeper); session != keeper {
		t.Errorf("the keeper is in session %d, not in one of its own", session)
	}
	unix.Kill(keeper, unix.SIGKILL)
	expectGone(t, lessontest.Soon, []int{state.PID})
	lesson.Type(t, "ps").PrintsMatch(`^ID[^\n]*\n$`)
	lesson.Type(t, "ps", "-a").PrintsMatch(id + `.*stopped \(137\)`)
}

// inspect returns the state that inspect prints.
func inspect(t *testing.T, id string) State {
	t.Helper()
	var printed struct {
		Config Spec
		State  State
	}
	result := lesson.Type(t, "inspect", "-json", id).Exits(0).IsSilent()
	if err := json.Unmarshal([]byte(result.Stdout), &printed); err != nil {
		t.Fatalf("inspect -json: %v\n%s", err, result.Stdout)
	}
	return printed.State
}

func parent(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	var state string
	var ppid int
	_, fields, _ := strings.Cut(string(stat), ") ")
	fmt.Sscan(fields, &state, &ppid)
	return ppid
}

// On a terminal inspect shows the container and the host side by side, and
// stats what containers take.
func TestInspectAndStats(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-memory", "64m", "-pids-limit", "20", "sleep", "1000")
	show := func(args ...string) string {
		term := lessontest.NewTerminal(t, 100, exec.Command(lessontest.Program(), args...))
		if status := term.Wait(); status != 0 {
			t.Errorf("final %q: exit status %d", args, status)
		}
		return term.Screen()
	}
	screen := show("inspect", id)
	for _, text := range []string{id, "HOST", "uts:[", "own", "seccomp", "CAP_CHOWN", "64.0 MiB", "10.", "sleep 1000"} {
		if !strings.Contains(screen, text) {
			t.Errorf("inspect on a terminal does not show %q:\n%s", text, screen)
		}
	}
	if screen := show("stats", "-once"); !strings.Contains(screen, id) || !strings.Contains(screen, "of 64.0 MiB") || !strings.Contains(screen, "1 of 20") {
		t.Errorf("stats -once shows\n%s", screen)
	}
	lesson.Type(t, "stats").PrintsMatch(id).Exits(0) // once, where there is no terminal
}

// doctor's table is printed, and its exit status is 0 or 1.
func TestDoctor(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		if result := who.Type(t, "doctor").IsSilent().PrintsMatch("kernel"); result.Status != 0 && result.Status != 1 {
			result.Exits(0)
		}
		inside := who.Type(t, "-quiet", "run", "-network", "none", "-v", lessontest.Program()+":/final", "/final", "doctor").Exits(1).IsSilent()
		if strings.Contains(inside.Stdout, "machine itself") {
			t.Errorf("in a container the doctor says:\n%s", inside.Stdout)
		}
	})
}

// A terminal of a detached container goes to its log.
func TestDetachedTerminal(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-t", "-network", "none", "sh", "-c", "tty")
	expectLog(t, lesson, id, "/dev/pts/0\r\n")
}

// -init reaps orphans, and passes signals on.
func TestInit(t *testing.T) {
	asRoot(t)
	running := lesson.Start(t, "-quiet", "run", "-init", "-network", "none", "sh", "-c",
		"trap 'exit 9' USR1; sh -c 'sleep 0.01 &'; echo $$; while :; do sleep 0.05; done")
	if pid := running.Line(); pid == "1" {
		t.Error("with -init the command is pid 1")
	}
	first := running.Child()
	if !lessontest.Eventually(lessontest.Patience, func() bool {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", first))
		return len(strings.Fields(string(children))) == 1
	}) {
		t.Error("-init has not reaped an orphan")
	}
	unix.Kill(first, syscall.SIGUSR1)
	running.Wait().Exits(9)
}

// -keep leaves what the container wrote, and says where.
func TestKeep(t *testing.T) {
	asRoot(t)
	cache := t.TempDir()
	run := exec.Command(lessontest.Program(), "run", "-keep", "-network", "none", "-rootfs", lessontest.DefaultRoot(t), "sh", "-c", "echo kept >/file")
	run.Env = append(os.Environ(), "XDG_CACHE_HOME="+cache)
	result := lessontest.RunCommand(t, "", run).Exits(0)
	kept := ""
	filepath.WalkDir(cache, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == "file" {
			kept = filepath.Dir(path)
		}
		return nil
	})
	if text, _ := os.ReadFile(kept + "/file"); string(text) != "kept\n" {
		t.Errorf("-keep has not kept the file that the container wrote; it is %q in %q", text, kept)
	}
	result.Says(kept)
}

// -keep in a place where no overlay can be made is an error, and leaves nothing there.
func TestKeepOnOverlay(t *testing.T) {
	lessontest.NeedRoot(t)
	dir := t.TempDir()
	run := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount -t tmpfs tmpfs "$0" && mkdir "$0/lower" "$0/upper" "$0/work" "$0/cache" &&
			mount -t overlay -o "lowerdir=$0/lower,upperdir=$0/upper,workdir=$0/work" overlay "$0/cache" || exit 77
		XDG_CACHE_HOME=$0/cache "$1" -quiet run -keep -network none -rootfs "$2" true; status=$?
		find "$0/cache" -path '*/kept/*'; exit $status`,
		dir, lessontest.Program(), lessontest.DefaultRoot(t))
	output, _ := run.CombinedOutput()
	if status := run.ProcessState.ExitCode(); status != 125 || !strings.Contains(string(output), "-keep: ") || !strings.Contains(string(output), "set XDG_CACHE_HOME") {
		t.Errorf("exit status %d, want 125, and:\n%s", status, output)
	}
	if strings.Contains(string(output), "/kept/") && strings.Contains(string(output), "\n"+dir) {
		t.Errorf("something is left in the folder for what is kept:\n%s", output)
	}
}

// Where there is no folder to keep it in, that is said before anything is made.
func TestKeepNowhere(t *testing.T) {
	asRoot(t)
	run := exec.Command(lessontest.Program(), "run", "-keep", "-network", "none", "-rootfs", lessontest.DefaultRoot(t), "true")
	run.Env = []string{"PATH=" + os.Getenv("PATH")}
	if result := lessontest.RunCommand(t, "", run).Says("-keep", "set HOME").Exits(125); strings.Contains(result.Stderr, "clone") {
		t.Errorf("a process was made first:\n%s", result.Stderr)
	}
}
