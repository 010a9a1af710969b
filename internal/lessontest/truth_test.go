package lessontest

import (
	"slices"
	"strings"
	"testing"
)

// quietRun is what strace -f -yy wrote of step06-cgroups -quiet, shortened.
const quietRun = `1777  execve("./step06-cgroups", ["./step06-cgroups", "-quiet", "run", "/bin/sh", "-c", "exit 3"], 0x7ffd4c85e3b8 /* 35 vars */) = 0
1777  clone(child_stack=0x137959804000, flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_SIGHAND|CLONE_THREAD|CLONE_SYSVSEM|CLONE_SETTLS, tls=0x137959818090) = 1778
1777  mkdirat(AT_FDCWD</tmp/nt>, "/sys/fs/cgroup/pids/gonsrun-step06-1777", 0755) = 0
1777  write(6</sys/fs/cgroup/pids/gonsrun-step06-1777/pids.max>, "20", 2) = 2
1777  write(6</tmp/other>, "20", 2) = 2
1777  waitid(P_PIDFD, 6<pid:1777>, 0x1379598c5800, WEXITED, NULL) = -1 ECHILD (No child processes)
1777  clone(child_stack=NULL, flags=CLONE_VM|CLONE_PIDFD|CLONE_VFORK <unfinished ...>
1777  <... clone resumed>, parent_tid=[7<pid:1785>]) = 1785
1777  waitid(P_PIDFD, 7<pid:1785>, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=1785, si_uid=0, si_status=0, si_utime=0, si_stime=0}, WEXITED|__WCLONE, NULL) = 0
1777  clone(child_stack=NULL, flags=CLONE_VM|CLONE_PIDFD|CLONE_VFORK|CLONE_NEWUTS|SIGCHLD <unfinished ...>
1786  prctl(PR_SET_PDEATHSIG, SIGKILL)  = 0
1786  execve("/proc/self/exe", ["/proc/self/exe", "child", "/bin/sh", "-c", "exit 3"], 0x13795989e280 /* 36 vars */ <unfinished ...>
1777  <... clone resumed>, parent_tid=[8<pid:1786>]) = 1786
1786  <... execve resumed>)             = 0
1777  waitid(P_PIDFD, 8<pid:1786>,  <unfinished ...>
1786  sethostname("container", 9)       = -1 EPERM (Operation not permitted)
1786  mount("none", "/", 0x260fd9e4c0d8, MS_REC|MS_PRIVATE, NULL) = 0
1786  execve("/bin/sh", ["/bin/sh", "-c", "exit 3"], 0x260fd9ec2060 /* 4 vars */ <unfinished ...>
1786  <... execve resumed>)             = 0
1786  chdir("/of/the/command")          = 0
1777  <... waitid resumed>{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=1786, si_uid=0, si_status=3, si_utime=0, si_stime=0}, WEXITED, {ru_utime={tv_sec=0, tv_usec=0}, ru_stime={tv_sec=0, tv_usec=8592}, ...}) = 0
`

// narratedRun is what a true narrator tells of another such run.
func narratedRun() []Narrated {
	return []Narrated{
		{Side: "host", PID: 20, Call: "mkdirat", Args: `AT_FDCWD, "/sys/fs/cgroup/pids/gonsrun-step06-20", 0755`},
		{Side: "host", PID: 20, Call: "write", Args: `9</sys/fs/cgroup/pids/gonsrun-step06-20/pids.max>, "20", 2`, Ret: 2},
		{Side: "host", PID: 20, Call: "clone", Args: "child_stack=NULL, flags=CLONE_VM|CLONE_PIDFD|CLONE_VFORK|CLONE_NEWUTS|SIGCHLD, parent_tid=…", Ret: 30},
		{Side: "container", PID: 1, Call: "prctl", Args: "PR_SET_PDEATHSIG, SIGKILL"},
		{Side: "container", PID: 1, Call: "execve", Args: `"/proc/self/exe", ["/proc/self/exe", "child", "/bin/sh", "-c", "exit 3"], …`},
		{Side: "container", PID: 1, Call: "sethostname", Args: `"container", 9`, Ret: -1, Errno: "EPERM"},
		{Side: "container", PID: 1, Call: "mount", Args: `"none", "/", …, MS_REC|MS_PRIVATE, NULL`},
		{Side: "container", PID: 1, Call: "execve", Args: `"/bin/sh", ["/bin/sh", "-c", "exit 3"], …`},
		{Side: "host", PID: 20, Call: "waitid", Args: "P_PIDFD, 8<pid:30>, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=30, si_uid=0, si_status=3, …}, WEXITED, …"},
	}
}

// The truth is accepted, and each lie is found.
func TestDifferences(t *testing.T) {
	for _, test := range []struct {
		lie     string
		change  func([]Narrated) []Narrated
		problem string // a part of the complaint, "" for none
	}{
		{"none", func(n []Narrated) []Narrated { return n }, ""},
		{"another argument", func(n []Narrated) []Narrated { n[5].Args = `"other", 5`; return n }, "sethostname"},
		{"another result", func(n []Narrated) []Narrated { n[5].Ret, n[5].Errno = 0, ""; return n }, "sethostname"},
		{"another errno", func(n []Narrated) []Narrated { n[5].Errno = "EINVAL"; return n }, "EINVAL"},
		{"another order", func(n []Narrated) []Narrated { n[5], n[6] = n[6], n[5]; return n }, "sethostname"},
		{"one left out", func(n []Narrated) []Narrated { return slices.Delete(n, 3, 4) }, "made, but not told (or not there): prctl"},
		{"one invented", func(n []Narrated) []Narrated {
			return append(n, Narrated{Side: "container", Call: "chroot", Args: `"/y"`})
		}, `told, but not made (or not there): chroot("/y")`},
		{"a flag left out", func(n []Narrated) []Narrated {
			n[2].Args = "child_stack=NULL, flags=CLONE_NEWUTS|SIGCHLD, parent_tid=…"
			return n
		}, "CLONE_PIDFD"},
		{"an argument hidden", func(n []Narrated) []Narrated { n[5].Args = "…, 9"; return n }, "sethostname"},
		{"a path hidden", func(n []Narrated) []Narrated { n[1].Args = `9<…>, "20", 2`; return n }, "write"},
		{"the wrong process waited for", func(n []Narrated) []Narrated {
			n[8].Args = strings.Replace(n[8].Args, "<pid:30>", "<pid:31>", 1)
			return n
		}, "waitid"},
		{"another exit status", func(n []Narrated) []Narrated {
			n[8].Args = strings.Replace(n[8].Args, "si_status=3", "si_status=0", 1)
			return n
		}, "waitid"},
		{"the wrong side", func(n []Narrated) []Narrated { n[6].Side = "host"; return n }, "mount"},
		{"no side", func(n []Narrated) []Narrated { n[6].Side = ""; return n }, "neither side's"},
		{"another group", func(n []Narrated) []Narrated {
			n[0].Args = strings.Replace(n[0].Args, "-20", "-21", 1)
			return n
		}, "mkdirat"},
		{"Go's own told", func(n []Narrated) []Narrated {
			own := Narrated{Side: "host", Call: "waitid", Args: "P_PIDFD, 6<pid:20>, …, WEXITED, NULL", Ret: -1, Errno: "ECHILD"}
			return slices.Insert(n, 2, own)
		}, "ECHILD"},
	} {
		problems, compared := differences(told(test.change(narratedRun()), 20), seen(ParseStrace(quietRun)))
		text := strings.Join(problems, "\n")
		if !strings.Contains(text, test.problem) || (test.problem == "") != (text == "") {
			t.Errorf("lie: %s\n  expected: a complaint that holds %q\n  seen:     %s", test.lie, test.problem, text)
		}
		if compared != 9 {
			t.Errorf("%d calls are compared, expected 9", compared)
		}
	}
}

// The probe of Go 1.24 has a signal at its end, and nobody asks how it ended.
func TestOlderProbe(t *testing.T) {
	older := strings.NewReplacer("CLONE_VM|CLONE_PIDFD|CLONE_VFORK <unfinished", "CLONE_VM|CLONE_PIDFD|CLONE_VFORK|SIGCHLD <unfinished",
		"{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=1785, si_uid=0, si_status=0, si_utime=0, si_stime=0}, WEXITED|__WCLONE, NULL", "NULL, WEXITED, NULL").Replace(quietRun)
	if problems, _ := differences(told(narratedRun(), 20), seen(ParseStrace(older))); len(problems) > 0 || older == quietRun {
		t.Errorf("the truth is refused: %q", problems)
	}
}

// What neither side should do is seen, too.
func TestStrangers(t *testing.T) {
	other := strings.Replace(quietRun, "1786  sethostname", "1785  sethostname", 1)
	problems, _ := differences(told(narratedRun(), 20), seen(ParseStrace(other)))
	if text := strings.Join(problems, "\n"); !strings.Contains(text, "neither side's: process 1785: sethostname") {
		t.Errorf("another process calls sethostname, and the complaint is %q", text)
	}
}
