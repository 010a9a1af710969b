package lessontest

import (
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// pausePrompt is what -pause shows while it waits for a key.
const pausePrompt = "q: quit"

// steps is how many calls the lesson tells for this command.
func (l Lesson) steps(t *testing.T, args ...string) int {
	t.Helper()
	return len(l.Type(t, append([]string{"-json", "run"}, args...)...).Narrated())
}

// pauses presses Enter before each call, and asks the kernel each time whether
// it has been made.
func (l Lesson) pauses(t *testing.T) {
	command := l.command("-pause", "run", "cat")
	var stdout strings.Builder
	command.Stdin, command.Stdout = strings.NewReader("data"), &stdout
	steps := l.steps(t, "cat")
	term := NewTerminal(t, 100, command)
	host := command.Process.Pid
	known := 0
	var before block
	for i := range steps {
		term.Expect(pausePrompt)
		told := blocks(term.Raw())
		now := told[len(told)-1]
		if i > 0 {
			if made, can := isMade(t, before, host); can && !made {
				t.Errorf("Enter was pressed for %s, and it is not made before the next call is told", before.text)
			}
		}
		made, can := isMade(t, now, host)
		if can {
			known++
		}
		if can && made {
			t.Errorf("before Enter is pressed this call is made already: %s", now.text)
		}
		if stdout.String() != "" {
			t.Errorf("before Enter is pressed for the %d. time of %d the command has written %q", i+1, steps, stdout.String())
		}
		before = now
		term.Type("\n")
		if isLast := strings.Contains(now.text, `execve("/bin/cat"`); isLast {
			if !Eventually(Patience, func() bool { return stdout.String() == "data" }) {
				term.fail("after Enter the command runs")
			}
			stdout.Reset()
		}
	}
	if status := term.Wait(); status != 0 {
		t.Errorf("exit status %d, expected 0:\n%s", status, term.Screen())
	}
	if n := strings.Count(term.Raw(), pausePrompt); n != steps {
		t.Errorf("-pause waits %d times, expected %d", n, steps)
	}
	if known < steps-3 {
		t.Errorf("of %d calls the kernel's state shows %d", steps, known)
	}
}

var (
	cgroupPath = regexp.MustCompile(`"(/sys/fs/cgroup/[^"]*)"`)
	cgroupFile = regexp.MustCompile(`<(/sys/fs/cgroup/[^>]*)>,"([^"]*)"`)
)

// isMade asks the kernel whether the call of a block has been made. It cannot
// tell that of all calls.
func isMade(t *testing.T, b block, host int) (made, can bool) {
	child := childOf(host)
	dir := "/proc/" + itoa(child)
	switch has := func(text string) bool { return strings.Contains(b.text, text) }; {
	case has("clone("):
		return child != 0, true
	case has(`execve("/proc/self/exe"`):
		return strings.Contains(proc.Read(dir+"/cmdline"), "\x00child\x00"), true
	case has("execve("):
		return !strings.Contains(proc.Read(dir+"/cmdline"), "\x00child\x00"), true
	case has("sethostname("):
		return hostnameOf(t, child) == "container", true
	case has("chroot("):
		root, _ := os.Readlink(dir + "/root")
		return root != "/", true
	case has("chdir("):
		root, _ := os.Readlink(dir + "/root")
		cwd, _ := os.Readlink(dir + "/cwd")
		return cwd == root, true
	case has("MS_PRIVATE"):
		text, _ := os.ReadFile(dir + "/mountinfo")
		here, _ := os.ReadFile("/proc/self/mountinfo")
		return !strings.Contains(string(text), " shared:"), strings.Contains(string(here), " shared:")
	case has("mount("):
		return slices.ContainsFunc(lines(dir+"/mountinfo"), func(line string) bool { return strings.Fields(line)[4] == "/proc" }), true
	case has("mkdirat("), has("unlinkat("):
		_, err := os.Stat(cgroupPath.FindStringSubmatch(b.text)[1])
		return (err == nil) == has("mkdirat("), true
	case has("write("):
		parts := cgroupFile.FindStringSubmatch(b.text)
		if parts == nil {
			t.Errorf("a write into no cgroup: %s", b.text)
			return false, false
		}
		if strings.HasSuffix(parts[1], "/cgroup.subtree_control") {
			return false, false // systemd, or another run, may have handed these down before
		}
		if !strings.HasSuffix(parts[1], "/cgroup.procs") {
			return strings.ReplaceAll(proc.Read(parts[1]), " ", "") == parts[2], true
		}
		return slices.Contains(lines(parts[1]), itoa(child)), true
	}
	return false, false
}

// childOf is the child of the host's side that is not its watcher, 0 for none.
func childOf(host int) int {
	watcher := proc.StatusField(itoa(host), "TracerPid")
	for _, p := range alive(host) {
		if p.parent == host && itoa(p.pid) != watcher {
			return p.pid
		}
	}
	return 0
}

// watcherOf is the watcher of a running program, which traces it.
func watcherOf(t *testing.T, host int) int {
	t.Helper()
	watcher := 0
	if !Eventually(Patience, func() bool {
		watcher, _ = strconv.Atoi(proc.StatusField(itoa(host), "TracerPid"))
		return watcher != 0
	}) {
		t.Fatalf("nobody traces process %d", host)
	}
	return watcher
}

// hostnameOf reads a hostname in the UTS namespace of a process.
func hostnameOf(t *testing.T, pid int) (name string) {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with its namespace
		fd, err := unix.Open("/proc/"+itoa(pid)+"/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(fd)
			err = unix.Setns(fd, unix.CLONE_NEWUTS)
		}
		var uts unix.Utsname
		if err == nil {
			err = unix.Uname(&uts)
			name = unix.ByteSliceToString(uts.Nodename[:])
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Errorf("the hostname in the UTS namespace of process %d: %v", pid, err)
	}
	return name
}

// pauseKeys tries all keys but those that make signals.
func (l Lesson) pauseKeys(t *testing.T) {
	steps := l.steps(t, "sh", "-c", "exit 9")
	start := func() *Terminal { return NewTerminal(t, 100, l.command("-pause", "run", "sh", "-c", "exit 9")) }
	prompts := func(term *Terminal) int { return strings.Count(term.Raw(), pausePrompt) }
	ends := func(term *Terminal, status, waited int, what string) {
		t.Helper()
		if s := term.Wait(); s != status {
			t.Errorf("%s: exit status %d, expected %d\n%s", what, s, status, term.Screen())
		}
		if n := prompts(term); n != waited {
			t.Errorf("%s: it waits %d times, expected %d\n%s", what, n, waited, term.Screen())
		}
	}

	// Neither Ctrl-D nor another letter is Enter: else more than one call would
	// wait before the g is read.
	term := start()
	term.Expect(pausePrompt)
	term.Type("\x04z\x04\x04g")
	ends(term, 9, 1, "Ctrl-D and z, then g")

	// g: on to the end.
	term = start()
	term.Expect(pausePrompt)
	term.Type("\n")
	term.Expect(pausePrompt)
	term.Type("g")
	ends(term, 9, 2, "Enter, then g")

	// c: to the end of what this side tells; then the other one speaks.
	term = start()
	side := ""
	waited := 0
	for {
		term.Expect(pausePrompt)
		waited++
		told := blocks(term.Raw())
		now := told[len(told)-1].side
		if now == side {
			t.Fatalf("after c, a call of the other side waits for a key, and not one of the %s's side, again:\n%s", side, term.Screen())
		}
		side = now
		term.Type("c")
		if waited == map[int]int{3: 4, 6: 5}[l.Number] {
			break // host, container, host's waitid, container; lesson 6 removes its groups then
		}
	}
	ends(term, 9, waited, "c at each side's turn")

	// q, at each call (of the many of lesson 6, at some): it ends, and cleans up.
	for i := 0; i < steps; i += map[int]int{3: 1, 6: 4}[l.Number] {
		status := 143
		if l.Number == 6 && i >= steps-l.removals(t) {
			status = 9 // the command has ended already
		}
		l.pausedInShell(t, i, func(outer *Terminal, host int) { outer.Type("q") }, status)
	}
}

// removals is how many calls the lesson makes after the command's end.
func (l Lesson) removals(t *testing.T) (n int) {
	for _, r := range l.Type(t, "-json", "run", "true").Narrated() {
		if r.Call == "unlinkat" {
			n++
		}
	}
	return n
}

// pausedInShell runs the lesson under an interactive shell, does something at
// its n-th pause, and expects that to end everything with this exit status.
func (l Lesson) pausedInShell(t *testing.T, n int, do func(outer *Terminal, host int), status int) {
	t.Helper()
	outer := l.outerShell(t)
	modes, foreground := outer.Modes(), outer.Foreground()
	outer.Type(Program() + " -pause run sh -c 'exit 9'\n")
	for i := range n + 1 {
		if i > 0 {
			outer.Type("\n")
		}
		outer.Expect(pausePrompt)
	}
	host := findEnding(t, outer.Command.Process.Pid, "-pause", "run", "sh", "-c", "exit 9").pid
	for host != 0 && parentOf(host) != outer.Command.Process.Pid {
		host = parentOf(host)
	}
	do(outer, host)
	outer.Expect("outer$ ")
	outer.Type("echo status $?\n")
	outer.Expect("status " + itoa(status))
	outer.Expect("outer$ ")
	if !Eventually(Soon, func() bool { return len(alive(outer.Command.Process.Pid)) == 0 }) {
		t.Errorf("at pause %d: there still are %v", n+1, alive(outer.Command.Process.Pid))
	}
	if outer.Modes() != modes || outer.Foreground() != foreground {
		t.Errorf("at pause %d: the terminal is not as it was: modes %+v, before %+v; foreground %d, before %d", n+1, outer.Modes(), modes, outer.Foreground(), foreground)
	}
	outer.Type("exit 0\n")
	outer.Wait()
}

func (l Lesson) pauseInterrupt(t *testing.T) {
	for i := range l.steps(t, "sh", "-c", "exit 9") {
		l.pausedInShell(t, i, func(outer *Terminal, host int) { outer.Type("\x03") }, 130)
	}
}

// pauseEnds ends the host's side, and the watcher, while a key is waited for.
func (l Lesson) pauseEnds(t *testing.T) {
	for i := range l.steps(t, "sh", "-c", "exit 9") {
		l.pausedInShell(t, i, func(outer *Terminal, host int) { unix.Kill(host, unix.SIGTERM) }, 143)
		l.pausedInShell(t, i, func(outer *Terminal, host int) { unix.Kill(watcherOf(t, host), unix.SIGKILL) }, 9)
	}
}

// pauseStops types Ctrl-Z at each pause, and fg. Then the same call waits again,
// but between clone and execve, where nobody can stop: there it goes on without.
// Nothing is told twice.
func (l Lesson) pauseStops(t *testing.T) {
	if testing.Short() {
		t.Skip("an emulated machine stops a program too slowly for a shell's fg to come after it")
	}
	steps := l.steps(t, "sh", "-c", "exit 9")
	for stopAt := range steps {
		outer := l.outerShell(t)
		modes := outer.Modes()
		outer.Type(Program() + " -pause run sh -c 'exit 9'\n")
		waited := 0
		for outer.ExpectOneOf(pausePrompt, "outer$ ") == pausePrompt {
			waited++
			if waited == stopAt+1 {
				outer.Type("\x1a")
				outer.Expect("outer$ ")
				if now := outer.Modes(); now != modes {
					t.Errorf("Ctrl-Z at pause %d: the shell has the terminal in other modes: %+v, before %+v", waited, now, modes)
				}
				outer.Type("echo between $((40+2))\n")
				outer.Expect("between 42")
				outer.Expect("outer$ ")
				outer.Type("fg\n")
				continue
			}
			outer.Type("\n")
		}
		outer.Type("echo status $?\n")
		outer.Expect("status 9")
		outer.Expect("outer$ ")
		told := blocks(outer.Raw())
		if len(told) != steps+1 {
			t.Errorf("Ctrl-Z at pause %d: %d blocks are told, expected %d: each call once, and waitid's answer\n%s", stopAt+1, len(told), steps+1, outer.Screen())
		}
		// Whoever has the terminal after fg, shows the prompt: with each of the stops and
		// resumes of both sides, which differ from run to run, perhaps again.
		borrowed := strings.Contains(told[min(stopAt, len(told)-1)].text, "prctl(") || strings.Contains(told[min(stopAt, len(told)-1)].text, `execve("/proc/self/exe"`)
		if least := steps + 1; !borrowed && waited < least || waited > least+3 || waited < steps-1 {
			t.Errorf("Ctrl-Z at pause %d: it waits %d times, expected %d\n%s", stopAt+1, waited, least, outer.Screen())
		}
		outer.Type("exit 0\n")
		outer.Wait()
	}
}

// ExpectOneOf is Expect for the text that comes first.
func (term *Terminal) ExpectOneOf(texts ...string) (found string) {
	term.t.Helper()
	if !Eventually(Patience, func() bool {
		term.mu.Lock()
		defer term.mu.Unlock()
		first := len(term.screen)
		for _, text := range texts {
			if i := strings.Index(term.screen[term.read:], text); i >= 0 && term.read+i < first {
				found, first = text, term.read+i
			}
		}
		if found != "" {
			term.read = first + len(found)
		}
		return found != ""
	}) {
		term.fail("one of %q appears", texts)
	}
	return found
}
