package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fake makes up a machine on which everything works, as root on cgroup v2,
// with the files given by path and content beside it.
func fake(t *testing.T, files map[string]string) machine {
	t.Helper()
	all := map[string]string{
		"/proc/sys/kernel/osrelease":              "6.12.48+deb13-amd64\n",
		"/proc/sys/kernel/pid_max":                "4194304\n",
		"/proc/sys/kernel/threads-max":            "31432\n",
		"/proc/sys/user/max_uts_namespaces":       "15000\n",
		"/proc/sys/user/max_user_namespaces":      "15716\n",
		"/proc/loadavg":                           "0.00 0.01 0.00 1/123 4567\n",
		"/proc/self/status":                       "Name:\tx\nCapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\nSeccomp:\t0\n",
		"/proc/self/limits":                       "Limit                     Soft Limit           Hard Limit           Units\nMax processes             15716                15716                processes\n",
		"/proc/self/cgroup":                       "0::/user.slice\n",
		"/proc/self/mountinfo":                    "25 30 0:23 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n30 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n",
		"/proc/cgroups":                           "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t80\t1\nmemory\t0\t80\t1\npids\t0\t80\t1\n",
		"/sys/fs/cgroup/cgroup.controllers":       "cpuset cpu io memory hugetlb pids rdma misc\n",
		"/sys/fs/cgroup/user.slice/pids.max":      "max\n",
		"/sys/fs/cgroup/user.slice/pids.current":  "12\n",
		"/sys/module/apparmor/parameters/enabled": "Y\n",
		"/usr/lib/go-1.24/VERSION":                "go1.24.4\ntime 2025-05-29T19:37:36Z\n",
	}
	for path, content := range files {
		all[path] = content
	}
	root := t.TempDir()
	for path, content := range all {
		write(t, root+path, content, 0o644)
	}
	for _, program := range []string{"apt-get", "nft", "bash", "strace", "sudo", "newuidmap"} {
		write(t, root+"/usr/bin/"+program, "", 0o755)
	}
	write(t, root+"/usr/lib/go-1.24/bin/go", "", 0o755)
	if err := os.Symlink("../lib/go-1.24/bin/go", root+"/usr/bin/go"); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // any ELF file will do for busybox
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, root+"/usr/bin/busybox"); err != nil {
		t.Fatal(err)
	}
	return machine{
		root: root, arch: "amd64", search: []string{"/usr/bin"}, lower: "/root/.cache",
		again: "go run -exec sudo ./final doctor", run: "go run ./final run",
		clone:   func(uintptr, bool) error { return nil },
		trial:   func(bool) trialReport { return report(nil) },
		access:  func(string) error { return nil },
		seccomp: func() error { return nil },
		trace:   func() error { return nil },
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// report makes up the outcome of the trials: all went well, but for these.
func report(failed map[string]syscall.Errno) trialReport {
	r := trialReport{errno: map[string]syscall.Errno{}}
	for _, t := range trials {
		r.errno[t.name] = failed[t.name]
		if failed[t.name] != 0 && !t.optional {
			break
		}
	}
	return r
}

// line returns the only result of that name.
func line(t *testing.T, results []Result, name string) Result {
	t.Helper()
	var found []Result
	for _, r := range results {
		if r.Name == name {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d results are named %q in %v", len(found), name, results)
	}
	return found[0]
}

// sound checks what holds for any machine.
func sound(t *testing.T, results []Result) {
	t.Helper()
	for _, r := range results {
		if r.Name == "" || r.Found == "" {
			t.Errorf("a result without a name or a finding: %+v", r)
		}
		if (r.ToDo != "") != (r.State != OK) {
			t.Errorf("something to do just when it is not ok: %+v", r)
		}
	}
	for _, width := range []int{80, 100, 200} {
		var b strings.Builder
		Print(&b, results, width, false)
		typed := map[string]bool{}
		for _, r := range results {
			for _, line := range strings.Split(r.ToDo, "\n") {
				if command, found := strings.CutPrefix(line, "  "); found {
					typed[command] = false
				}
			}
		}
		for line := range strings.Lines(b.String()) {
			command := strings.TrimPrefix(strings.TrimSpace(line), "→ ")
			if _, found := typed[command]; found {
				typed[command] = true
			}
			longest := min(width, maxWidth)
			if typed[command] {
				longest = max(longest, utf8.RuneCountInString("→ "+command))
			}
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > longest {
				t.Errorf("%d columns in a table of %d: %s", n, width, line)
			}
		}
		for command, whole := range typed {
			if !whole {
				t.Errorf("in a table of %d columns this line to type is not whole, in a line of its own: %s\n%s", width, command, b.String())
			}
		}
	}
}

func TestAllIsWell(t *testing.T) {
	results := fake(t, nil).check()
	sound(t, results)
	for _, r := range results {
		if r.State != OK {
			t.Errorf("%+v", r)
		}
	}
}

func TestMachines(t *testing.T) {
	ordinary := func(m *machine) { m.uid = 1000 }
	cloneFails := func(bits uintptr, err error) func(*machine) {
		return func(m *machine) {
			m.clone = func(flags uintptr, _ bool) error {
				if flags&bits != 0 {
					return err
				}
				return nil
			}
		}
	}
	trialFails := func(name string, errno syscall.Errno) func(*machine) {
		return func(m *machine) {
			m.trial = func(bool) trialReport { return report(map[string]syscall.Errno{name: errno}) }
		}
	}
	userTrialFails := func(m *machine) {
		m.trial = func(user bool) trialReport {
			if user {
				return report(map[string]syscall.Errno{"private": unix.EACCES})
			}
			return report(nil)
		}
	}
	traceFails := func(err error) func(*machine) {
		return func(m *machine) { m.trace = func() error { return err } }
	}
	inNamespaces := func(links ...string) func(*machine) {
		return func(m *machine) {
			for _, link := range links {
				kind, _, _ := strings.Cut(link, ":")
				path := m.root + "/proc/self/ns/" + kind
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(link, path)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	const allKinds = ^uintptr(0)
	tests := []struct {
		name   string
		files  map[string]string
		change func(*machine)
		line   string // which result is looked at
		state  State
		found  string // must be in it
		todo   string
	}{
		{"an old kernel", map[string]string{"/proc/sys/kernel/osrelease": "5.10.0-28-amd64"}, nil,
			"kernel", Warn, "mount_setattr", "5.12"},
		{"a very old kernel (WSL 1)", map[string]string{"/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft"}, nil,
			"kernel", Fail, "cgroup namespaces", "vagrant up"},
		{"5.12 is new enough", map[string]string{"/proc/sys/kernel/osrelease": "5.12.0"}, nil, "kernel", OK, "5.12.0", ""},
		{"no /proc", map[string]string{"/proc/sys/kernel/osrelease": ""}, nil, "kernel", Warn, "not in", "uname"},
		{"an ordinary user", nil, ordinary, "privileges", Warn, "1000", "go run -exec sudo ./final doctor"},
		{"root without a capability", map[string]string{"/proc/self/status": "CapEff:\t000001ffffffefff\n"}, nil,
			"privileges", Fail, "CAP_NET_ADMIN", "root in another way"},
		{"Docker without --privileged", docker(nil), nil, "container", Fail, "no CAP_SYS_ADMIN, a seccomp filter, /sys is read-only", "docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"},
		{"its capabilities", docker(nil), nil, "privileges", Fail, "CAP_SYS_ADMIN", "docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"},
		{"its cgroups", docker(nil), nil, "cgroups", Fail, "no right to write in /sys/fs/cgroup", "docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"},
		{"its namespaces", docker(nil), cloneFails(allKinds, unix.EPERM), "namespaces", Fail, "no uts pid mnt ipc net cgroup: EPERM", "docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"},
		{"Podman without --privileged", docker(map[string]string{"/run/.containerenv": ""}), nil, "container", Fail, "Podman", "podman run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun"},
		{"Docker with --privileged", map[string]string{"/.dockerenv": ""}, nil, "container", OK, "Docker, privileged", ""},
		{"no container", nil, inNamespaces("uts:[4026531838]", "pid:[4026531836]", "net:[4026531833]"), "container", OK, "none: this is the machine itself", ""},
		{"a container of another make", nil, inNamespaces("uts:[4026532180]", "pid:[4026532183]", "cgroup:[4026531835]"), "container", OK, "a kind that is not known: the namespaces uts, pid are not", ""},
		{"Docker has namespaces of its own", map[string]string{"/.dockerenv": ""}, inNamespaces("pid:[4026532183]"), "container", OK, "Docker, privileged", ""},
		{"tracing works", nil, nil, "tracing", OK, "works", ""},
		{"tracing is refused", nil, traceFails(unix.EPERM), "tracing", Warn, "nobody narrates them: EPERM", "strace"},
		{"tracing is refused in a container", map[string]string{"/.dockerenv": ""}, traceFails(unix.EPERM), "tracing", Warn, "EPERM", "--privileged"},
		{"Yama leaves tracing to root", map[string]string{"/proc/sys/kernel/yama/ptrace_scope": "2"}, traceFails(unix.EPERM), "tracing", Warn, "EPERM", "  sysctl -w kernel.yama.ptrace_scope=1"},
		{"Yama forbids tracing", map[string]string{"/proc/sys/kernel/yama/ptrace_scope": "3"}, traceFails(unix.EPERM), "tracing", Warn, "EPERM", "boot"},
		{"tracing needs a newer kernel", nil, traceFails(errors.New("older than Linux 5.3")), "tracing", Warn, "older than Linux 5.3", "strace"},
		{"no net namespace in the kernel", nil, cloneFails(unix.CLONE_NEWNET, unix.EINVAL), "rootless", OK, "", ""},
		{"namespaces used up", nil, cloneFails(allKinds, unix.ENOSPC), "rootless", Warn, "ENOSPC", "sysctl -w user.max_user_namespaces=1000"},
		{"the kernel has no user namespaces", nil, cloneFails(unix.CLONE_NEWUSER, unix.EINVAL), "rootless", Warn, "EINVAL", "CONFIG_USER_NS=y"},
		{"the same for an ordinary user", nil, func(m *machine) { m.uid = 1000; cloneFails(unix.CLONE_NEWUSER, unix.EINVAL)(m) },
			"namespaces", Warn, "root's only", "go run -exec sudo"},
		{"Debian 10", map[string]string{"/proc/sys/kernel/unprivileged_userns_clone": "0\n"}, ordinary,
			"rootless", Warn, "root's only", "sudo sysctl -w kernel.unprivileged_userns_clone=1"},
		{"Ubuntu 24.04", ubuntu, ordinary, "AppArmor", Warn, "Ubuntu", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"its user namespaces", ubuntu, func(m *machine) { m.uid = 1000; userTrialFails(m) },
			"rootless", Warn, "private: EACCES", "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"its mounts as root are well", ubuntu, userTrialFails, "mounts", OK, "proc", ""},
		{"no overlay", nil, trialFails("overlay", unix.ENODEV), "overlay", Warn, "read-only", "modprobe overlay"},
		{"an overlay that will not lie there", nil, trialFails("overlay", unix.EINVAL), "overlay", Warn, "/root/.cache: EINVAL", "-rootfs DIR"},
		{"an initramfs", nil, trialFails("pivot_root", unix.EINVAL), "mounts", Fail, "pivot_root: EINVAL", "-without pivot"},
		{"no right to mount", nil, trialFails("private", unix.EPERM), "mounts", Fail, "private: EPERM", "root in another way"},
		{"no bridge", nil, trialFails("bridge", unix.EOPNOTSUPP), "network", Warn, "bridge: EOPNOTSUPP", "modprobe bridge"},
		{"no message queues", nil, trialFails("mqueue", unix.ENODEV), "mqueue", Warn, "ENODEV", "CONFIG_POSIX_MQUEUE"},
		{"the child cannot be started", nil, func(m *machine) {
			m.trial = func(bool) trialReport { return trialReport{start: errors.New("no /proc")} }
		}, "mounts", Fail, "no /proc", "root in another way"},
		{"cgroup v2 only", nil, nil, "cgroups", OK, "v2 pids memory cpu", ""},
		{"no cgroups", map[string]string{"/proc/self/mountinfo": ""}, nil, "cgroups", Fail, "no cgroup tree", "mount -t cgroup2 none /sys/fs/cgroup"},
		{"cgroup_disable=memory", map[string]string{
			"/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io pids\n",
			"/proc/cgroups":                     "cpu\t0\t80\t1\nmemory\t0\t80\t0\npids\t0\t80\t1\n",
		}, nil, "cgroups", Fail, "v2 pids cpu: without memory", "cgroup_enable=memory"},
		{"a controller that is not handed down", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory cpu\n"}, nil,
			"cgroups", Fail, "without pids", "echo +pids"},
		{"a kernel without a controller", map[string]string{"/sys/fs/cgroup/cgroup.controllers": "memory pids\n", "/proc/cgroups": ""}, nil,
			"cgroups", Fail, "without cpu", "a kernel with the cgroup controller cpu"},
		{"hybrid", map[string]string{"/proc/self/mountinfo": hybrid, "/sys/fs/cgroup/unified/cgroup.controllers": "memory\n"}, nil,
			"cgroups", OK, "v1 and v2 (hybrid) pids memory cpu", ""},
		{"v1 with a tree that is not mounted", map[string]string{"/proc/self/mountinfo": "1 1 0:1 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"}, nil,
			"cgroups", Fail, "v1 cpu: without pids memory", "mount -t cgroup -o pids none /sys/fs/cgroup/pids"},
		{"no right to make groups", nil, func(m *machine) { m.access = func(string) error { return unix.EACCES } },
			"cgroups", Fail, "no right to write", "root in another way"},
		{"an ordinary user's cgroups", nil, ordinary, "cgroups", OK, "for root", ""},
		{"a full pids cgroup", map[string]string{"/sys/fs/cgroup/user.slice/pids.max": "20\n"}, nil,
			"limits", Warn, "8 more processes in the cgroup /sys/fs/cgroup/user.slice", "echo max > /sys/fs/cgroup/user.slice/pids.max"},
		{"no namespaces allowed", map[string]string{"/proc/sys/user/max_user_namespaces": "0\n"}, nil,
			"limits", Warn, "0 user namespaces", "sysctl -w user.max_user_namespaces=1000"},
		{"few processes allowed", map[string]string{"/proc/self/limits": "Max processes             40                   50                   processes\n"}, ordinary,
			"limits", Warn, "ulimit -u is 40", "ulimit -u"},
		{"few processes left", map[string]string{"/proc/sys/kernel/pid_max": "150"}, nil, "limits", Warn, "27 more processes", "kernel.pid_max"},
		{"no seccomp", nil, func(m *machine) { m.seccomp = func() error { return unix.EINVAL } }, "seccomp", Fail, "EINVAL", "seccomp=unconfined"},
		{"another processor", nil, func(m *machine) { m.arch = "riscv64" }, "seccomp", Fail, "riscv64", "seccomp=unconfined"},
		{"an old Go", map[string]string{"/usr/lib/go-1.24/VERSION": "go1.19.8\n"}, nil, "go", Warn, "go1.19.8, older than 1.24", "go.dev/dl"},
		{"no tools", nil, without, "go", Warn, "not installed", "apt-get install golang-go"},
		{"no busybox", nil, without, "busybox", Warn, "not installed", "apt-get install busybox-static"},
		{"no firewall", nil, without, "firewall", Warn, "neither", "apt-get install nftables"},
		{"no strace", nil, func(m *machine) { without(m); m.uid = 1000 }, "strace", Warn, "not installed", "sudo apt-get install strace"},
		{"no sudo", nil, func(m *machine) { without(m); m.uid = 1000 }, "privileges", Warn, "no sudo", "apt-get install sudo"},
		{"no tools on Fedora", nil, func(m *machine) {
			without(m)
			os.Rename(m.root+"/usr/bin/apt-get", m.root+"/usr/bin/dnf")
		}, "go", Warn, "not installed", "dnf install golang"},
		{"no package manager", nil, func(m *machine) { m.search = nil }, "bash", Warn, "not installed", "install the package bash"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := fake(t, test.files)
			if test.change != nil {
				test.change(&m)
			}
			results := m.check()
			sound(t, results)
			r := line(t, results, test.line)
			if r.State != test.state || !strings.Contains(r.Found, test.found) || !strings.Contains(r.ToDo, test.todo) {
				t.Errorf("got %v %q, to do %q\nwant %v …%q…, to do …%q…", r.State, r.Found, r.ToDo, test.state, test.found, test.todo)
			}
		})
	}
}

// docker is what a container without --privileged sees.
func docker(more map[string]string) map[string]string {
	files := map[string]string{
		"/.dockerenv":       "",
		"/proc/self/status": "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nSeccomp:\t2\n",
		"/proc/self/mountinfo": "1 2 0:50 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro\n" +
			"2 1 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate\n",
	}
	for path, content := range more {
		files[path] = content
	}
	return files
}

var ubuntu = map[string]string{"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}

const hybrid = "1 2 0:50 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n" +
	"2 1 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
	"3 1 0:27 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
	"4 1 0:28 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"

// without leaves a machine nothing but its package manager.
func without(m *machine) {
	for _, program := range []string{"nft", "bash", "strace", "sudo", "newuidmap", "go", "busybox"} {
		os.Remove(m.root + "/usr/bin/" + program)
	}
}

func TestOneKindOfNamespaceIsMissing(t *testing.T) {
	m := fake(t, nil)
	m.clone = func(flags uintptr, _ bool) error {
		if flags == unix.CLONE_NEWNET {
			return unix.EINVAL
		}
		return nil
	}
	results := m.namespaces()
	if len(results) != 2 || results[0].Found != "uts pid mnt ipc cgroup" || !strings.HasPrefix(results[1].Found, "no net: EINVAL") || results[1].State != Fail || !strings.Contains(results[1].ToDo, "CONFIG_NET_NS") {
		t.Errorf("%+v", results)
	}
}

// Under sudo the go tool is looked for where its caller looks for it: sudo has a
// PATH of its own, and it often leads to another one, or to none.
func TestCallersGo(t *testing.T) {
	ours := map[string]string{
		"/proc/30/status": "PPid:\t20\n", "/proc/30/comm": "sudo\n", "/proc/30/environ": "HOME=/root\x00PATH=/home/me/go/bin:/usr/bin\x00",
		"/proc/20/status": "PPid:\t1\n", "/proc/20/comm": "bash\n", "/proc/20/environ": "PATH=/elsewhere\x00",
		"/home/me/go/VERSION": "go1.30.1\n",
	}
	for _, test := range []struct {
		name   string
		change func(m *machine)
		found  string
	}{
		{"sudo's own PATH has none", func(m *machine) { os.Remove(m.root + "/usr/bin/go") }, "/home/me/go/bin/go, go1.30.1"},
		{"sudo's own PATH has another one", nil, "/home/me/go/bin/go, go1.30.1"},
		{"a shell below sudo has sudo's PATH", func(m *machine) {
			write(t, m.root+"/proc/40/status", "PPid:\t30\n", 0o644)
			write(t, m.root+"/proc/40/comm", "sh\n", 0o644)
			write(t, m.root+"/proc/40/environ", "PATH=/usr/bin\x00", 0o644)
			m.parent = "40"
		}, "/home/me/go/bin/go, go1.30.1"},
		{"go run started us", func(m *machine) {
			write(t, m.root+"/proc/20/comm", "go\n", 0o644)
			write(t, m.root+"/sdk/bin/go", "", 0o755)
			os.Symlink("/sdk/bin/go", m.root+"/proc/20/exe")
			write(t, m.root+"/proc/30/environ", "PATH=/usr/sbin\x00", 0o644)
		}, "/sdk/bin/go"},
		{"no sudo", func(m *machine) { write(t, m.root+"/proc/30/comm", "sh\n", 0o644) }, "/usr/bin/go, go1.24.4"},
		{"an ordinary user", func(m *machine) { m.uid = 1000 }, "/usr/bin/go, go1.24.4"},
	} {
		m := fake(t, ours)
		write(t, m.root+"/home/me/go/bin/go", "", 0o755)
		m.parent = "30"
		if test.change != nil {
			test.change(&m)
		}
		if r := m.goTool(); r.State != OK || r.Found != test.found {
			t.Errorf("%s: %+v, expected %q", test.name, r, test.found)
		}
	}
}

func TestLowerFolder(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	if got := lowerFolder(nil); got != cache {
		t.Errorf("before the first container: %s", got)
	}
	if err := os.Mkdir(cache+"/gonsrun", 0o755); err != nil {
		t.Fatal(err)
	}
	if got := lowerFolder([]string{"/", cache + "/other"}); got != cache+"/gonsrun" {
		t.Errorf("after it: %s", got)
	}
	if got := lowerFolder([]string{cache + "/gonsrun/rootfs/proc"}); got != "/usr" {
		t.Errorf("with a mount below: %s", got)
	}
	t.Setenv("XDG_CACHE_HOME", cache+":x")
	if got := lowerFolder(nil); got != "/usr" {
		t.Errorf("with a colon: %s", got)
	}
}

// TestNothingThere looks at a machine on which no file is and nothing works.
func TestNothingThere(t *testing.T) {
	for _, uid := range []int{0, 1000} {
		m := machine{
			root: t.TempDir(), uid: uid, again: "sudo final doctor", run: "final run",
			clone:   func(uintptr, bool) error { return unix.ENOSYS },
			trial:   func(bool) trialReport { return trialReport{} },
			access:  func(string) error { return unix.ENOENT },
			seccomp: func() error { return unix.ENOSYS },
			trace:   func() error { return unix.ENOSYS },
		}
		sound(t, m.check())
	}
}

func TestPrint(t *testing.T) {
	results := []Result{{Name: "kernel", Found: "Linux 6.12"}, {"strace", Warn, "not installed", "  apt-get install strace"}}
	var b strings.Builder
	if !Print(&b, results, 80, false) {
		t.Error("a warning is no failure")
	}
	want := "ok    kernel  Linux 6.12\nwarn  strace  not installed\n              → apt-get install strace\n\nReady for the workshop. What is marked warn is optional.\n"
	wide := Result{"container", Fail, "Docker", "outside of it, type:\n  docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun\nand begin anew"}
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	Print(&b, []Result{wide}, 60, false)
	want = "FAIL  container  Docker\n                 → outside of it, type:\n" +
		"  docker run --rm -it --privileged -v \"${PWD}:/workshop\" gonsrun\n                   and begin anew\n\nNot ready for the workshop: 1 of 1 checks failed.\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
	b.Reset()
	if Print(&b, append(results, Result{"mounts", Fail, "no", "be root"}), 80, true) {
		t.Error("a failure is a failure")
	}
	if !strings.Contains(b.String(), "\x1b[31;1mFAIL\x1b[") || !strings.Contains(b.String(), "1 of 3 checks failed") {
		t.Errorf("%q", b.String())
	}
}

// TestThisMachine runs all checks for real, and that they leave nothing behind.
func TestThisMachine(t *testing.T) {
	before := traces(t)
	results := Check()
	sound(t, results)
	if after := traces(t); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if os.Geteuid() == 0 && os.Getenv("CI") != "" {
		for _, name := range []string{"privileges", "namespaces", "mounts", "overlay", "network", "rootless", "cgroups", "seccomp", "tracing"} {
			if r := line(t, results, name); r.State != OK {
				t.Errorf("%+v", r)
			}
		}
	}
	var b strings.Builder
	Print(&b, results, 100, false)
	t.Log("\n" + b.String())
}

// traces is what checks could leave: mounts, files, interfaces, child processes.
func traces(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, dir := range []string{scratchFolder(thisMachine().lower), "/sys/class/net", thisMachine().lower} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, dir+"/"+entry.Name())
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { // other tests' at the same time
		return !strings.HasPrefix(name, "/sys/class/net/") && !slices.Contains([]string{"proc", "sys", "pts", "mqueue", "upper", "work", "merged", ".gonsrun-doctor"}, filepath.Base(name))
	})
	return string(mounts) + strings.Join(names, "\n")
}

// TestAsOrdinaryUser runs the checks as nobody: a user namespace's way.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getenv("GONSRUN_DOCTOR_NOBODY") != "" {
		results := Check()
		sound(t, results)
		if r := line(t, results, "privileges"); r.State != Warn || !strings.Contains(r.ToDo, "sudo") {
			t.Errorf("%+v", r)
		}
		for _, r := range results {
			if r.State == Fail {
				t.Errorf("%+v", r)
			}
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user; the test TestThisMachine has run as an ordinary one")
	}
	program := t.TempDir() + "/doctor.test"
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	write(t, program, string(self), 0o755)
	for dir := filepath.Dir(program); dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-test.run=^TestAsOrdinaryUser$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "GONSRUN_DOCTOR_NOBODY=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if output, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(output), "PASS") {
		t.Errorf("%v\n%s", err, output)
	}
}

// Tracing is really tried: it works here, and where a filter answers ptrace with an
// errno, that errno is found.
func TestTryTracing(t *testing.T) {
	const variable = "DOCTOR_TEST_NO_PTRACE"
	if os.Getenv(variable) != "" {
		runtime.LockOSThread()
		refusePtrace(t)
		if err := tryTracing(); err != unix.EACCES {
			t.Errorf("with a filter that answers EACCES: %v", err)
		}
		return
	}
	if err := tryTracing(); err != nil {
		t.Errorf("nobody can be traced here: %v", err)
	}
	again := exec.Command("/proc/self/exe", "-test.run=^TestTryTracing$")
	again.Env = append(os.Environ(), variable+"=1")
	if output, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

// refusePtrace has this thread and all that it starts answered EACCES to ptrace.
func refusePtrace(t *testing.T) {
	t.Helper()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.SYS_PTRACE},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EACCES)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); errno != 0 {
		t.Fatal(errno)
	}
}
