package lessontest

import (
	"strings"
	"testing"
)

// recorded is what strace 6.1 wrote of step02-uts, shortened, with the rarer
// kinds of lines added: a restarted call, a thread that calls execve, a call
// that never returned.
const recorded = `7422  execve("./step02-uts", ["./step02-uts", "run", "x) = 3"], 0x7fff1e9902a0 /* 35 vars */) = 0
7422  clone(child_stack=0x28aa2986c000, flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SETTLS <unfinished ...>
7424  chdir("/tmp" <unfinished ...>
7422  <... clone resumed>, tls=0x28aa29850890) = 7424
7424  <... chdir resumed>)              = 0
7422  clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|CLONE_NEWUTS|SIGCHLD <unfinished ...>
7430  execve("/proc/self/exe", ["/proc/self/exe", "child", "echo"], 0x28aa2991e000 /* 35 vars */ <unfinished ...>
7422  <... clone resumed>)              = 7430
7430  <... execve resumed>)             = 0
7422  waitid(P_PID, 7430,  <unfinished ...>
7430  sethostname("container", 9)       = -1 EPERM (Operation not permitted)
7430  clone(child_stack=0x1d7a9556000, flags=CLONE_VM|CLONE_THREAD, tls=0x1d7a956a090) = 7431
7430  mkdirat(AT_FDCWD</root>, "/tmp/x", 0755) = 0
7430  write(5</sys/fs/cgroup/pids/g/pids.max>, "20", 2) = 2
7430  openat(AT_FDCWD</root>, "/dev/null", O_RDONLY) = 3</dev/null>
7431  execve("/bin/echo", ["echo"], 0x1d7a95b2900 /* 4 vars */ <pid changed to 7430 ...>
7430  +++ superseded by execve in pid 7431 +++
7430  <... execve resumed>)             = 0
7422  <... waitid resumed>0x7ffd, WEXITED, NULL) = ? ERESTARTSYS (To be restarted if SA_RESTART is set)
7422  --- SIGURG {si_signo=SIGURG, si_code=SI_TKILL, si_pid=7422, si_uid=0} ---
7422  waitid(P_PID, 7430, {si_signo=SIGCHLD, si_code=CLD_EXITED}, WEXITED, NULL) = 0
7430  chroot("/x" <unfinished ...>
7430  +++ killed by SIGKILL +++
7422  +++ exited with 0 +++
`

func TestParseStrace(t *testing.T) {
	want := []string{
		`7422 execve("./step02-uts", ["./step02-uts", "run", "x) = 3"], 0x7fff1e9902a0 /* 35 vars */) = 0`,
		`7422 clone(child_stack=0x28aa2986c000, flags=CLONE_VM|CLONE_FS|CLONE_THREAD|CLONE_SETTLS, tls=0x28aa29850890) = 7424`,
		`7422 chdir("/tmp") = 0`,
		`7422 clone(child_stack=NULL, flags=CLONE_VM|CLONE_VFORK|CLONE_NEWUTS|SIGCHLD) = 7430`,
		`7430 execve("/proc/self/exe", ["/proc/self/exe", "child", "echo"], 0x28aa2991e000 /* 35 vars */) = 0`,
		`7422 waitid(P_PID, 7430, 0x7ffd, WEXITED, NULL) = ?`,
		`7430 sethostname("container", 9) = -1 EPERM`,
		`7430 clone(child_stack=0x1d7a9556000, flags=CLONE_VM|CLONE_THREAD, tls=0x1d7a956a090) = 7431`,
		`7430 mkdirat(AT_FDCWD, "/tmp/x", 0755) = 0`,
		`7430 write(5</sys/fs/cgroup/pids/g/pids.max>, "20", 2) = 2`,
		`7430 openat(AT_FDCWD, "/dev/null", O_RDONLY) = 3`,
		`7430 execve("/bin/echo", ["echo"], 0x1d7a95b2900 /* 4 vars */) = 0`,
		`7422 waitid(P_PID, 7430, {si_signo=SIGCHLD, si_code=CLD_EXITED}, WEXITED, NULL) = 0`,
		`7430 chroot("/x") = ?`,
	}
	var seen []string
	for _, call := range ParseStrace(recorded) {
		seen = append(seen, itoa(call.Process)+" "+call.String())
	}
	for i := range max(len(want), len(seen)) {
		w, s := at(want, i), at(seen, i)
		if w != s {
			t.Errorf("call %d:\nexpected %s\nseen     %s", i, w, s)
		}
	}
}

func TestCompare(t *testing.T) {
	truth := []Narrated{
		{Side: "host", PID: 7422, Call: "clone", Args: "…, flags=…|CLONE_NEWUTS|SIGCHLD", Ret: 7430},
		{Side: "container", PID: 1, Call: "execve", Args: `"/proc/self/exe", ["/proc/self/exe", "child", "echo"], …`},
		{Side: "container", PID: 1, Call: "sethostname", Args: `"container", 9`, Ret: -1, Errno: "EPERM"},
		{Side: "container", PID: 1, Call: "mkdirat", Args: `AT_FDCWD, "/tmp/x", 0755`},
		{Side: "container", PID: 1, Call: "write", Args: `…</sys/fs/cgroup/pids/g/pids.max>, "20", 2`, Ret: 2},
		{Side: "container", PID: 1, Call: "execve", Args: `"/bin/echo", ["echo"], …`},
		{Side: "host", PID: 7422, Call: "waitid", Args: "P_PID, 7430, …, WEXITED, NULL"},
	}
	for _, test := range []struct {
		name    string
		lie     func([]Narrated) []Narrated
		problem string // a part of the complaint, "" for none
	}{
		{"the truth", func(n []Narrated) []Narrated { return n }, "chdir"}, // thread 7424 called it
		{"another argument", func(n []Narrated) []Narrated { n[2].Args = `"other", 5`; return n }, "sethostname"},
		{"another result", func(n []Narrated) []Narrated { n[2].Ret, n[2].Errno = 0, ""; return n }, "sethostname"},
		{"another order", func(n []Narrated) []Narrated { n[2], n[3] = n[3], n[2]; return n }, "sethostname"},
		{"one left out", func(n []Narrated) []Narrated { return append(n[:4], n[5:]...) }, "not narrated"},
		{"one invented", func(n []Narrated) []Narrated {
			return append(n, Narrated{Side: "container", PID: 1, Call: "chroot", Args: `"/y"`})
		}, `chroot("/y")`},
		{"a namespace kept secret", func(n []Narrated) []Narrated { n[0].Args = "…, flags=…|SIGCHLD"; return n }, "CLONE_NEWUTS"},
		{"the wait left out", func(n []Narrated) []Narrated { return n[:6] }, "waitid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			problems := strings.Join(Compare(test.lie(append([]Narrated(nil), truth...)), ParseStrace(recorded), Listed), "\n")
			if !strings.Contains(problems, test.problem) {
				t.Errorf("expected a complaint that holds %q, seen %q", test.problem, problems)
			}
		})
	}
	silent := strings.ReplaceAll(recorded, `chdir("/tmp"`, `getcwd("/tmp"`)
	silent = strings.ReplaceAll(silent, "chdir resumed", "getcwd resumed")
	if problems := Compare(truth, ParseStrace(silent), Listed); len(problems) > 0 {
		t.Errorf("the truth is refused: %q", problems)
	}
}
