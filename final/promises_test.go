//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// everyone runs a test as root and as an ordinary user. Where both run the tests,
// root leaves the ordinary user's part to them.
func everyone(t *testing.T, test func(t *testing.T, who lessontest.Lesson)) {
	t.Run("root", func(t *testing.T) {
		asRoot(t)
		test(t, lesson)
	})
	t.Run("ordinary user", func(t *testing.T) {
		if leftToOrdinaryUser() {
			t.Skip("an ordinary user runs the tests, too: .ci/vm")
		}
		nothingLeft(t)
		test(t, ordinaryUser(t))
	})
}

// leftToOrdinaryUser reports whether root's tests need not do what an ordinary
// user's do. .ci/vm, where programs take long, has both run them, with programs
// that are built already.
func leftToOrdinaryUser() bool {
	return testing.Short() && lessontest.Built() && os.Geteuid() == 0
}

// Stdout and the exit status are the command's, and so is stdin.
func TestOutput(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		who.Type(t, "run", "/bin/sh", "-c", "echo hi; exit 7").Prints("hi\n").Exits(7).Says("execve")
		who.TypeInto(t, "data", "run", "cat").Prints("data").Exits(0)
		who.TypeInto(t, "data", "-quiet", "run", "-i", "cat").Prints("data").Exits(0).IsSilent()
	})
}

// A command that cannot be started is named.
func TestNoCommand(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		who.Type(t, "run", "nosuchcommand").Says("nosuchcommand", "/usr/local/bin", "/usr/bin", "/bin").Prints("").Exits(127)
		who.Type(t, "run", "/no/such/command").Says("/no/such/command").Prints("").Exits(127)
		who.Type(t, "run", "/bin").Says("/bin").Prints("").Exits(126)
		who.Type(t, "run", "/etc/hostname").Says("/etc/hostname").Prints("").Exits(126)
	})
}

// A signal that kills the command shows in the exit status.
func TestKilledCommand(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		running := who.Start(t, "-quiet", "run", "sleep", "1000")
		unix.Kill(running.PidOutside("sleep", "1000"), unix.SIGKILL)
		running.Wait().Exits(128 + 9)
		who.Type(t, "-quiet", "run", "-init", "sh", "-c", "kill -9 $$").Exits(128 + 9)
		who.Type(t, "-quiet", "run", "-init", "sh", "-c", "kill -TERM $$").Exits(128 + 15)
	})
}

// Bad usage is answered with what is wrong and a line that works.
func TestUsage(t *testing.T) {
	nothingLeft(t)
	for _, bad := range []struct {
		args []string
		says string
	}{
		{nil, "what shall it do?"},
		{[]string{"frobnicate"}, `"frobnicate"`},
		{[]string{"run"}, `"run" needs a command`},
		{[]string{"-nosuchflag", "run", "true"}, "-nosuchflag"},
		{[]string{"run", "-nosuchflag", "true"}, "-nosuchflag"},
	} {
		lesson.Type(t, bad.args...).Prints("").Exits(125).Says(bad.says).SaysMatch(`final run .*/bin/sh`)
	}
	lesson.Type(t, "help", "frobnicate").Prints("").Says("frobnicate").Exits(125)
	lesson.Type(t, "exec", "-nosuchflag").Prints("").Says("-nosuchflag").Exits(125)
	lesson.Type(t, "inspect").Prints("").Exits(125)
	lesson.Type(t, "completion", "fish").Prints("").Says("fish").Exits(125)
}

// Every verb has its manual, on stdout.
func TestManual(t *testing.T) {
	nothingLeft(t)
	for _, help := range []string{"-h", "-help", "--help", "help"} {
		lesson.Type(t, help).IsSilent().Exits(0).PrintsMatch(`(?s)final.*run /bin/sh.*Commands:.*exec.*doctor`)
	}
	for _, verb := range commands() {
		lesson.Type(t, verb.name, "-h").IsSilent().Exits(0).PrintsMatch(`(?s)final ` + verb.name + `.*Usage:.*Example:`)
		lesson.Type(t, "help", verb.name).IsSilent().Exits(0).PrintsMatch(`(?s)final ` + verb.name + `.*Usage:.*Example:`)
	}
}

// The completion is a script that the shell accepts.
func TestCompletion(t *testing.T) {
	nothingLeft(t)
	script := lesson.Type(t, "completion", "bash").Exits(0).PrintsMatch("-pids-limit").Stdout
	lesson.Type(t, "completion", "zsh").Exits(0).PrintsMatch("bashcompinit")
	bash := lessontest.NeedTool(t, "bash")
	complete := exec.Command(bash, "-c", script+"\n"+`COMP_WORDS=(final ru) COMP_CWORD=1; _final; echo "${COMPREPLY[@]}"`)
	lessontest.RunCommand(t, "", complete).Prints("run\n").IsSilent()
}

// What is wrong with a -rootfs is said.
func TestRootfs(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		empty, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
		os.Chmod(filepath.Dir(empty), 0o755)
		os.WriteFile(file, []byte("no folder\n"), 0o644)
		who.Type(t, "run", "-rootfs", "/nonexistent", "true").Prints("").Says("/nonexistent", "no such folder").Exits(125)
		who.Type(t, "-rootfs", file, "run", "true").Prints("").Says(file, "is a file").Exits(125)
		who.Type(t, "run", "-rootfs", empty, "true").Prints("").Says(empty, "empty").Exits(127)
		os.Mkdir(empty+"/bin", 0o755)
		who.Type(t, "run", "-rootfs", empty, "true").Prints("").Says(empty, "proc").Exits(125)
	})
}

// A root file system of one's own is used, and is not changed.
func TestOwnRootfs(t *testing.T) {
	asRoot(t)
	root := t.TempDir()
	if output, err := exec.Command("cp", "-a", lessontest.DefaultRoot(t)+"/.", root).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, output)
	}
	os.WriteFile(root+"/mine", []byte("mine\n"), 0o644)
	write := `cat /mine; echo changed >/mine; echo new >/new; cat /mine`
	lesson.Type(t, "run", "-rootfs", root, "/bin/sh", "-c", write).Prints("mine\nchanged\n").Exits(0)
	relative := exec.Command(lessontest.Program(), "-quiet", "-rootfs", filepath.Base(root), "run", "cat", "/mine")
	relative.Dir = filepath.Dir(root)
	lessontest.RunCommand(t, "", relative).Prints("mine\n").Exits(0)
	if _, err := os.Stat(root + "/new"); err == nil {
		t.Error("what the container wrote to its root is in the folder given as -rootfs")
	}
	readOnly := lesson.Type(t, "-quiet", "run", "-rootfs", root, "-read-only", "/bin/sh", "-c", "echo no >/new && exit 9; echo yes >/dev/shm/file && cat /dev/shm/file")
	readOnly.Prints("yes\n").Exits(0)
}

// -quiet and -json, on either side of the verb.
func TestQuietAndJSON(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		who.Type(t, "-quiet", "run", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
		who.Type(t, "run", "-quiet", "/bin/sh", "-c", "echo hi; exit 7").IsSilent().Prints("hi\n").Exits(7)
		for _, args := range [][]string{{"-json", "run", "true"}, {"run", "-json", "true"}, {"run", "-json", "nosuchcommand"}} {
			for _, n := range who.Type(t, args...).Narrated() {
				if n.Lesson != "final" || n.Side != "host" && n.Side != "container" || n.PID == 0 || n.Call != "" && !strings.HasSuffix(n.Man, ")") {
					t.Errorf("final %q narrates %+v, without lesson, side, pid or manual page", args, n)
				}
			}
		}
	})
}

// What the container sees is its own: hostname, pid 1, root, /proc, IPC.
func TestOwnWorld(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		before, mounts := lessontest.Hostname(t), lessontest.Mounts()
		secret := filepath.Join(t.TempDir(), "of-the-host")
		os.WriteFile(secret, []byte("secret\n"), 0o644)
		for command, output := range map[string]string{
			"hostname":                  "container\n",
			"hostname; hostname x 2>&1": "container\nhostname: sethostname: Operation not permitted\n",
			"echo $$":                   "1\n",
			"cd /proc; echo [0-9]*":     "1\n",
			"sleep 1000 & cd /proc; set -- [0-9]*; echo $#":     "2\n",
			"cat " + secret + " /.." + secret + " 2>&- || pwd":  "/\n",
			"cat /proc/self/cgroup | grep -v ':/$' | grep -v /": "",
			"id -u": "0\n",
			"cat /etc/hostname; grep -c container /etc/hosts": "container\n1\n",
			"env | cut -d= -f1 | sort | tr '\\n' ' '":         "HOME HOSTNAME PATH PS1 PWD SHLVL ",
		} {
			result := who.Type(t, "-quiet", "run", "/bin/sh", "-c", command)
			switch {
			case strings.HasPrefix(command, "hostname;"):
				result.PrintsMatch("^container\nhostname: .*not permitted")
			case strings.HasPrefix(command, "env"):
				result.PrintsMatch("^HOME HOSTNAME PATH PS1 ")
			default:
				result.Prints(output)
			}
		}
		who.Type(t, "-quiet", "run", "-hostname", "other", "hostname").Prints("other\n")
		if after := lessontest.Hostname(t); after != before {
			t.Errorf("the host's hostname was %q, and is %q now", before, after)
		}
		running := who.Start(t, "-quiet", "run", "/bin/sh", "-c", "echo ready; read x")
		running.Line()
		lessontest.SameMounts(t, "during the run", mounts)
		running.Wait()
		lessontest.SameMounts(t, "after the run", mounts)
	})
}

// SIGTERM and SIGHUP to the parent end everything.
func TestEndsWhenTold(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGHUP} {
			running, processes := family(t, who)
			running.Signal(sig)
			running.Wait().Exits(128 + int(sig))
			expectGone(t, lessontest.Soon, processes)
		}
	})
}

// SIGKILL to the parent ends the container within a second, and the next
// command sweeps what only the parent could have removed.
func TestDiesWithParent(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		running, processes := family(t, who)
		running.Signal(unix.SIGKILL)
		expectGone(t, lessontest.Soon, processes)
		running.Wait().Exits(-9)
		who.Type(t, "ps").PrintsMatch(`^ID[^\n]*\n$`)
	})
}

// So it does where the kernel forgets the parent-death signal, with another user or
// group id, and so does what exec starts.
func TestDiesWithParentAsUser(t *testing.T) {
	asRoot(t)
	for _, user := range []string{"1000:1000", "0:1000", "1000:0"} {
		running, processes := family(t, lesson, "-user", user)
		running.Signal(unix.SIGKILL)
		expectGone(t, lessontest.Soon, processes)
		running.Wait()

		id := detached(t, lesson, "-network", "none", "sleep", "1000")
		joined := lesson.Start(t, "-quiet", "exec", "-user", user, id, "sh", "-c", "echo ready; exec sleep 1003")
		joined.Line()
		process := joined.PidOutside("sleep", "1003")
		joined.Signal(unix.SIGKILL)
		expectGone(t, lessontest.Soon, []int{process})
		joined.Wait()
		unix.Wait4(process, nil, 0, nil) // if it has become ours: not reaped, it would keep the container from ending
	}
	lesson.Type(t, "sweep")
}

// family starts a container with two processes, and returns them as the host
// sees them.
func family(t *testing.T, who lessontest.Lesson, flags ...string) (*lessontest.Running, []int) {
	t.Helper()
	args := append(append([]string{"-quiet", "run"}, flags...), "sh", "-c", "sleep 1001 & echo ready; sleep 1002; true")
	running := who.Start(t, args...)
	running.Line()
	return running, []int{running.Child(), running.PidOutside("sleep", "1001"), running.PidOutside("sleep", "1002")}
}

func expectGone(t *testing.T, patience time.Duration, processes []int) {
	t.Helper()
	for _, pid := range processes {
		if !lessontest.Eventually(patience, func() bool { return gone(pid) }) {
			t.Errorf("process %d of the container still lives after %v", pid, patience)
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// bomb is a fork bomb that would burn out at some hundred processes where no
// limit stops it: on a reader's own machine, with a program of their own.
const bomb = "b() { if [ $1 -gt 0 ]; then b $(($1 - 1)) | b $(($1 - 1)) & fi; sleep 1000; }; b 6 2>/dev/null & exec sleep 1234"

// A fork bomb stops at -pids-limit, while the host works on.
func TestPidsLimit(t *testing.T) {
	asRoot(t)
	running := lesson.Start(t, "-quiet", "run", "-pids-limit", "20", "/bin/sh", "-c", bomb)
	group := lessontest.GroupOf(t, running.PidOutside("sleep", "1234"), "pids")
	if !lessontest.Eventually(lessontest.Patience, func() bool { return group.Number("max", "pids.events") > 0 }) {
		t.Errorf("the kernel has refused no fork: pids.current %s, pids.max %s", group.Read("pids.current"), group.Read("pids.max"))
	}
	for range 20 {
		lessontest.RunCommand(t, "", exec.Command("true")).Exits(0)
		if n := group.Number("", "pids.current"); n > 20 {
			t.Errorf("the fork bomb got %d tasks, expected 20 at most", n)
		}
	}
	running.Signal(syscall.SIGTERM)
	running.Wait().Exits(128 + 15)
	if !group.Gone() {
		t.Errorf("after the run there is still one of %v", group.Dirs)
	}
}

// A process that takes more than -memory is killed, and that is said.
func TestMemoryLimit(t *testing.T) {
	asRoot(t)
	needController(t, "memory")
	lesson.Type(t, "run", "-memory", "64m", "-network", "none", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1").
		Exits(128 + 9).SaysMatch(`oom_kill \d+: .*memory`)
	lesson.Type(t, "run", "-memory", "64m", "-network", "none", "true").Exits(0)
}

// needController skips the test where no cgroup tree has a controller.
func needController(t *testing.T, name string) {
	t.Helper()
	running := lesson.Start(t, "-quiet", "run", "-network", "none", "sleep", "1000")
	defer running.Wait()
	defer running.Signal(syscall.SIGTERM)
	lessontest.GroupOf(t, running.PidOutside("sleep", "1000"), name)
}

// Two busy loops together get what -cpus says.
func TestCPULimit(t *testing.T) {
	asRoot(t)
	running := lesson.Start(t, "-quiet", "run", "-cpus", "0.5", "-network", "none", "/bin/sh", "-c", "while :; do :; done & echo ready; while :; do :; done")
	running.Line()
	group := lessontest.GroupOf(t, running.Child(), "cpu")
	cpus := group.CPU(2 * time.Second)
	for tries := 1; cpus < 0.3 && tries < 5; tries++ { // others may want this machine's CPUs too
		cpus = group.CPU(2 * time.Second)
	}
	if cpus < 0.3 || cpus > 0.56 {
		t.Errorf("two busy loops get %.2f CPUs over two seconds, expected 0.5", cpus)
	}
	running.Signal(syscall.SIGTERM)
	running.Wait().Exits(128 + 15)
}

// Only the CPUs of -cpuset-cpus are used.
func TestCpuset(t *testing.T) {
	asRoot(t)
	needController(t, "cpuset")
	lesson.Type(t, "-quiet", "run", "-cpuset-cpus", "0", "grep", "Cpus_allowed_list", "/proc/self/status").PrintsMatch(`:\s0\n`)
}

// An ordinary user who may not limit is told so, when a limit was asked for.
func TestLimitsNeedTheRight(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	user.Type(t, "run", "-memory", "64m", "true").Prints("").Says("limit", "cgroup", "sudo").Exits(125)
}

// A terminal of the container's own: job control, Ctrl-C, Ctrl-Z, its size; and
// whoever started it has their terminal back as it was.
func TestTerminal(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		stty := who.Type(t, "-quiet", "run", "sh", "-c", "command -v stty || true").Stdout
		outer := outerShell(t, who)
		modes, foreground := outer.Modes(), outer.Foreground()
		outer.Type(lessontest.Program() + " -quiet run /bin/sh\n") // -it is the default on a terminal
		outer.Expect("container:/# ")

		outer.Type("sh -c 'echo be''gun; exec sleep 1234'\n")
		outer.Expect("begun")
		outer.Type("\x03")
		outer.Type("echo still here $((50+3))\n")
		outer.Expect("still here 53")

		outer.Type("sh -c 'echo be''gun; exec sleep 1234'\n")
		outer.Expect("begun")
		outer.Type("\x1a")
		outer.Expect("Stopped")
		outer.Type("kill -9 %1; wait; tty; echo $TERM\n")
		outer.Expect("/dev/pts/0")
		outer.Expect("xterm")
		if stty != "" {
			resize(t, outer, 123, 45)
			outer.Type("stty size\n")
			outer.Expect("45 123")
		}
		outer.Type("exit 3\n")
		outer.Expect("outer$ ")
		outer.Type("echo status $?\n")
		outer.Expect("status 3")
		outer.Expect("outer$ ")
		if !lessontest.Eventually(lessontest.Patience, func() bool { return outer.Modes() == modes && outer.Foreground() == foreground }) {
			t.Errorf("the terminal is not as it was: modes %+v, before %+v", outer.Modes(), modes)
		}
		for _, warning := range []string{"job control", "can't access tty", "process group"} {
			if strings.Contains(outer.Screen(), warning) {
				t.Errorf("a warning of %q on the terminal:\n%s", warning, outer.Screen())
			}
		}
		outer.Type("exit 0\n")
		outer.Wait()
	})
}

// Killed while the terminal was raw: the container dies, the outer shell is
// there, and the terminal can be used again.
func TestKilledOnTerminal(t *testing.T) {
	asRoot(t)
	lessontest.NeedTool(t, "stty")
	outer := outerShell(t, lesson)
	modes := outer.Modes()
	outer.Type(lessontest.Program() + " -quiet run -it /bin/sh\n")
	outer.Expect("container:/# ")
	outer.WaitForeground("-quiet", "run", "-it", "/bin/sh")
	unix.Kill(outer.Foreground(), unix.SIGKILL)
	outer.Expect("Killed")
	outer.Type("stty sane; echo usable $((40+2))\n")
	outer.Expect("usable 42")
	if now := outer.Modes(); now.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != modes.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) {
		t.Errorf("the terminal's modes are %+v, before %+v", now, modes)
	}
	lesson.Type(t, "sweep").PrintsMatch(`^[0-9a-f]{12}\n$`)
	outer.Type("exit 0\n")
	outer.Wait()
}

// outerShell starts an interactive shell on a terminal, as a reader has it, and
// returns when it is ready.
func outerShell(t *testing.T, who lessontest.Lesson) *lessontest.Terminal {
	t.Helper()
	shell := commandOf(t, who, "/bin/sh", "-i")
	shell.Env = append(shell.Env, "PS1=outer$ ", "ENV=", "TERM=xterm")
	term := lessontest.NewTerminal(t, 100, shell)
	term.Expect("outer$ ")
	return term
}

// resize gives a terminal another size, as somebody who pulls at the corner of
// its window does.
func resize(t *testing.T, term *lessontest.Terminal, columns, rows uint16) {
	t.Helper()
	tty, err := os.OpenFile("/proc/"+strconv.Itoa(term.Command.Process.Pid)+"/fd/0", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatalf("TIOCSWINSZ: %v", err)
	}
}

// A command that cannot be started has its exit status on a terminal, too, and
// leaves no process that nobody reaps.
func TestNoCommandOnTerminal(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		id := detached(t, who, "-network", "none", "sleep", "1000")
		outer := outerShell(t, who)
		for typed, status := range map[string]string{
			"run -network none -t nosuchcommand": "127",
			"run -network none -t /etc/passwd":   "126",
			"exec -t " + id + " nosuchcommand":   "127",
		} {
			outer.Type(lessontest.Program() + " -quiet " + typed + "; echo status $?.\n")
			outer.Expect("status " + status + ".")
			outer.Expect("outer$ ")
		}
		outer.Type("exit 0\n")
		outer.Wait()
	})
}

// Nobody has been told the id of a detached container whose command cannot be
// started: nothing of it stays.
func TestNoCommandDetached(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		for _, flag := range []string{"-rm=false", "-t"} {
			who.Type(t, "-quiet", "run", "-d", flag, "-network", "none", "nosuchcommand").Prints("").Says("nosuchcommand").Exits(127)
		}
		who.Type(t, "ps", "-a").PrintsMatch(`^ID[^\n]*\n$`)
	})
}

// When nobody reads any more what a command prints on its terminal, that hangs up.
func TestReaderOfTerminalGone(t *testing.T) {
	everyone(t, func(t *testing.T, who lessontest.Lesson) {
		outer := outerShell(t, who)
		outer.Type(lessontest.Program() + " -quiet run -network none -t yes yes yes | head -n 1\n")
		outer.Expect("yes yes\r\n")
		outer.Expect("outer$ ")
		outer.Type("exit 0\n")
		outer.Wait()
	})
}
