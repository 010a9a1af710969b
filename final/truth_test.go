//go:build linux

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gonsrun/final/internal/netlink/netlinktest"
	"gonsrun/internal/lessontest"
)

// wholeCalls are the calls that strace records of a whole program.
const wholeCalls = "?clone,?clone3,?fork,?vfork,unshare,setns,sethostname,setdomainname,chroot,chdir,fchdir,pivot_root," +
	"mount,umount2,?open_tree,?move_mount,?fsopen,?fsconfig,?fsmount,?fspick,?mount_setattr," +
	"?mkdir,mkdirat,?rmdir,?unlink,unlinkat,?symlink,symlinkat,?mknod,mknodat,write,?pwrite64," +
	"prctl,capset,setuid,setgid,setreuid,setregid,setresuid,setresgid,setfsuid,setfsgid,setgroups," +
	"seccomp,bpf,keyctl,setsid,ioctl,?close_range,execve,execveat,waitid,wait4,sendto,sendmsg,recvfrom,recvmsg,read"

// mustBeTold reports whether the narrator must tell of a call whenever a program makes
// it.
func mustBeTold(c lessontest.SystemCall) bool {
	inCgroup := strings.Contains(c.Args, `"/sys/fs/cgroup/`)
	written, _, _ := strings.Cut(c.Args, ">")
	switch c.Name {
	case "clone", "clone3", "fork", "vfork":
		return c.MakesProcess()
	case "mkdir", "mkdirat", "rmdir":
		return inCgroup
	case "unlink", "openat", "read":
		return false
	case "unlinkat":
		return inCgroup && strings.Contains(c.Args, "AT_REMOVEDIR")
	case "write", "pwrite64":
		return strings.Contains(written, "/sys/fs/cgroup/") || writtenFile.MatchString(written)
	case "waitid", "wait4":
		return !strings.Contains(c.Args, "WNOHANG")
	case "prctl":
		return !quietOption.MatchString(c.Args)
	case "ioctl":
		return strings.Contains(c.Args, "TIOCSCTTY") || strings.Contains(c.Args, "TIOCNOTTY")
	case "symlink", "symlinkat", "mknod", "mknodat":
		return inDev.MatchString(c.Args)
	case "seccomp":
		// Libraries ask with wrong arguments what this kernel can do.
		return strings.HasPrefix(c.Args, "SECCOMP_SET_MODE_FILTER") && !strings.Contains(c.Args, "NULL")
	case "keyctl":
		return strings.HasPrefix(c.Args, "KEYCTL_JOIN_SESSION_KEYRING")
	case "bpf":
		return strings.HasPrefix(c.Args, "BPF_PROG_LOAD") || strings.HasPrefix(c.Args, "BPF_PROG_ATTACH")
	case "sendto", "sendmsg":
		return changes.MatchString(c.Args)
	case "recvfrom", "recvmsg":
		return strings.Contains(c.Args, "NLMSG_ERROR")
	}
	return true
}

var (
	writtenFile = regexp.MustCompile(`</proc/(\d+|self)/(task/\d+/)?(uid_map|gid_map|setgroups|oom_score_adj|attr/)|</proc/sys/`)
	quietOption = regexp.MustCompile(`^PR_(GET_|SET_NAME|SET_VMA|CAPBSET_READ|CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET)`)
	inDev       = regexp.MustCompile(`"([^"]*/)?dev/|/dev>, "`)
	changes     = regexp.MustCompile(`nlmsg_type=RTM_(NEW|DEL|SET)`)
)

// compareWhole runs a command twice, narrated and silently under strace, and holds the
// one against the other.
func compareWhole(t *testing.T, whole lessontest.Whole, narrated, silent *exec.Cmd) {
	t.Helper()
	strace := lessontest.NeedTool(t, "strace")
	record := filepath.Join(sharedFolder(t), "trace")
	said := lessontest.RunCommand(t, "", narrated)
	traced := exec.Command(strace, append([]string{"-f", "-yy", "-s", "1000000", "-e", "trace=" + wholeCalls, "-o", record}, silent.Args...)...)
	traced.Dir, traced.Env, traced.SysProcAttr = silent.Dir, silent.Env, silent.SysProcAttr
	made := lessontest.RunCommand(t, "", traced)
	if said.Status != made.Status || said.Stdout != made.Stdout {
		t.Errorf("%q: stdout and status are %q and %d when narrated, and else %q and %d", silent.Args, said.Stdout, said.Status, made.Stdout, made.Status)
	}
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, line := range strings.Split(string(text), "\n") {
		lines = append(lines, netlinktest.Decode(line))
	}
	records := said.Narrated()
	for _, n := range records {
		if n.Call != "" && (n.Why == "" || n.Man == "") {
			t.Errorf("a call without a why, or without a page of the manual: %s", n)
		}
	}
	problems, compared := whole.Compare(records, lessontest.ParseStrace(strings.Join(lines, "\n")))
	t.Logf("%q: %d calls compared", silent.Args, compared)
	if len(problems) > 0 || compared == 0 {
		t.Errorf("%q: expected: the narration is what strace sees\n%s", silent.Args, strings.Join(problems, "\n"))
	}
}

// bundle is a folder with a config.json for /bin/echo, and a root file system of
// busybox.
func bundle(t *testing.T, runtime string) string {
	t.Helper()
	dir := t.TempDir()
	busybox := lessontest.NeedTool(t, "busybox")
	bin := filepath.Join(dir, "rootfs/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"proc", "dev", "sys"} {
		if err := os.Mkdir(filepath.Join(dir, "rootfs", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"sh", "echo", "readlink"} {
		if err := os.WriteFile(filepath.Join(bin, name), program, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(runtime, "spec")
	command.Dir = dir
	lessontest.RunCommand(t, "", command).Exits(0)
	return dir
}

// configure changes the process that a bundle starts.
func configure(t *testing.T, dir string, args ...string) {
	t.Helper()
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	process := config["process"].(map[string]any)
	process["terminal"], process["args"] = false, args
	text, _ = json.Marshal(config)
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// explained are programs that make containers, and how to start each. dir is a bundle.
var explained = map[string]func(t *testing.T, dir, id string, command ...string) []string{
	"runc": func(t *testing.T, dir, id string, command ...string) []string {
		configure(t, dir, command...)
		return []string{"runc", "run", "-b", dir, id}
	},
	// This crun refuses hybrid cgroups.
	"crun": func(t *testing.T, dir, id string, command ...string) []string {
		configure(t, dir, command...)
		return []string{"crun", "--cgroup-manager=disabled", "run", "-b", dir, id}
	},
	"bwrap": func(t *testing.T, dir, id string, command ...string) []string {
		return append([]string{"bwrap", "--ro-bind", filepath.Join(dir, "rootfs"), "/", "--proc", "/proc", "--dev", "/dev", "--unshare-all", "--die-with-parent"}, command...)
	},
	"unshare": func(t *testing.T, dir, id string, command ...string) []string {
		return append([]string{"unshare", "--fork", "--pid", "--mount", "--uts", "--ipc", "--net",
			"--mount-proc=" + filepath.Join(dir, "rootfs/proc"), "chroot", filepath.Join(dir, "rootfs")}, command...)
	},
}

// What explain says of other people's programs is what strace sees, both ways.
func TestExplainEqualsStrace(t *testing.T) {
	asRoot(t)
	for name, line := range explained {
		t.Run(name, func(t *testing.T) {
			lessontest.NeedTool(t, name)
			dir := bundle(t, lessontest.NeedTool(t, "runc"))
			args := line(t, dir, "gonsrun-test", "/bin/echo", "hi")
			narrated := exec.Command(lessontest.Program(), append([]string{"explain", "-json"}, args...)...)
			compareWhole(t, lessontest.Whole{Execve: true, Command: "/bin/echo", Told: mustBeTold, Same: sameNames, Races: lastWait}, narrated, exec.Command(args[0], args[1:]...))
		})
	}
}

// sameNames replaces what other people's programs call differently at each run, and in
// which order runc removes what it has made, which is another each time.
func sameNames(line string) string {
	return removedTree.ReplaceAllString(randomName.ReplaceAllString(line, "$1"), "$1/TREE/")
}

var (
	randomName  = regexp.MustCompile(`(runc\.|/criu\.|newroot|memfd:[\w]*)[\w.]*`)
	removedTree = regexp.MustCompile(`^(unlinkat\(AT_FDCWD, "/sys/fs/cgroup)/\w+/`)
)

// A program that calls narrate.Watch hands its source to explain: its comments are the
// whys, and where a call has none, the catalogue's sentence is.
func TestExplainOwnComments(t *testing.T) {
	asRoot(t)
	lesson.Type(t, "-quiet", "run", "-network", "none", "true").Exits(0) // makes the root file system
	said := lessontest.RunCommand(t, "", exec.Command(lessontest.Program(), "explain", "-json", helper(t, "step04-chroot"), "run", "/bin/echo", "hi"))
	said.Exits(0).Prints("hi\n")
	source, err := os.ReadFile("../step04-chroot/main.go")
	if err != nil {
		t.Fatal(err)
	}
	lines, commented := strings.Split(string(source), "\n"), 0
	for _, n := range said.Narrated() {
		if n.File == "main.go" && n.Line > 1 && strings.Contains(lines[n.Line-2], n.Why) {
			commented++
		}
		if n.Call == "chroot" && (n.File != "main.go" || !strings.Contains(lines[n.Line-1], "unix.Chroot(")) {
			t.Errorf("chroot is called in line %s:%d, which is another", n.File, n.Line)
		}
	}
	if commented < 4 {
		t.Errorf("%d calls have the comment above their line as why:\n%s", commented, said.Stderr)
	}
}

// What runc create leaves behind becomes its command later: a narration in a file waits
// for that, as where Docker starts runc.
func TestExplainCreate(t *testing.T) {
	asRoot(t)
	lessontest.NeedTool(t, "runc")
	dir := bundle(t, "runc")
	configure(t, dir, "/bin/echo", "hi")
	told, out := filepath.Join(dir, "told"), filepath.Join(dir, "out")
	output, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	create := exec.Command(lessontest.Program(), "explain", "-to", told, "runc", "create", "-b", dir, "gonsrun-test")
	create.Stdout, create.Stderr = output, output
	if err := create.Run(); err != nil {
		t.Fatal(err)
	}
	defer exec.Command("runc", "delete", "-f", "gonsrun-test").Run()
	read := func() string { text, _ := os.ReadFile(told); return string(text) }
	if strings.Contains(read(), `execve("/bin/echo"`) {
		t.Errorf("before runc start the command runs:\n%s", read())
	}
	lessontest.RunCommand(t, "", exec.Command("runc", "start", "gonsrun-test")).Exits(0)
	whole := func() bool {
		return strings.Contains(read(), `execve("/bin/echo"`) && strings.Contains(read(), "■ pid")
	}
	if !lessontest.Eventually(lessontest.Patience, whole) {
		t.Errorf("after runc start the command is not told, with its board:\n%s", read())
	}
	printed := func() bool { text, _ := os.ReadFile(out); return string(text) == "hi\n" }
	if !lessontest.Eventually(lessontest.Patience, printed) {
		t.Error("the command has not printed what it should")
	}
}

// Traced by an ordinary user, a set-user-ID program would get no rights: it is let go
// before its execve, and explain says so.
func TestExplainLetsGo(t *testing.T) {
	asRoot(t)
	user := ordinaryUser(t)
	su := lessontest.NeedTool(t, "su")
	if info, err := os.Stat(su); err != nil || info.Mode()&os.ModeSetuid == 0 {
		lessontest.Missing(t, "%s is not set-user-ID", su)
	}
	plain := lessontest.RunCommand(t, "", commandOf(t, user, su, "--version"))
	said := lessontest.RunCommand(t, "", commandOf(t, user, lessontest.Program(), "explain", su, "--version"))
	said.Prints(plain.Stdout).Exits(0).Says("The narrator lets go now")
}

// lastWait is how bwrap's process 1 finds out that it is alone, while the other one ends.
func lastWait(line string) bool {
	return strings.HasPrefix(line, "wait4(-1, ") && strings.HasSuffix(line, " ECHILD")
}

// The board of explain is what the command finds in /proc.
func TestExplainBoard(t *testing.T) {
	asRoot(t)
	for name, line := range explained {
		t.Run(name, func(t *testing.T) {
			lessontest.NeedTool(t, name)
			dir := bundle(t, lessontest.NeedTool(t, "runc"))
			kinds := []string{"uts", "pid", "mnt", "ipc", "net"}
			var links []string
			for _, kind := range kinds {
				links = append(links, "/proc/self/ns/"+kind)
			}
			script := "for l in " + strings.Join(links, " ") + "; do readlink $l; done"
			args := line(t, dir, "gonsrun-test", "/bin/sh", "-c", script)
			said := lessontest.RunCommand(t, "", exec.Command(lessontest.Program(), append([]string{"explain"}, args...)...))
			for _, link := range strings.Fields(said.Stdout) {
				kind, number, _ := strings.Cut(link, ":")
				place := regexp.MustCompile(`■ ` + kind + ` +own +` + regexp.QuoteMeta(number))
				if !place.MatchString(said.Stderr) {
					t.Errorf("the command's %s is %s, and the board says something else:\n%s", kind, number, said.Stderr)
				}
			}
			if strings.Count(said.Stdout, "\n") != len(kinds) {
				t.Errorf("the command has seen %q", said.Stdout)
			}
		})
	}
}

// What run says while it works is what strace sees, both ways: as little as possible,
// everything at once, and what fails.
func TestNarrationEqualsStrace(t *testing.T) {
	asRoot(t)
	volume := t.TempDir()
	for name, args := range map[string][]string{
		"by default": {"run", "/bin/echo", "hi"},
		"everything on": {"run", "-v", volume + ":/volume", "-v", "/etc/passwd:/host/passwd:ro", "-tmpfs", "/scratch:size=1m", "-read-only",
			"-memory", "64m", "-memory-swap", "-1", "-cpus", "0.5", "-pids-limit", "50", "-hostname", "all", "-e", "A=ü \"b\" \\", "-w", "/scratch",
			"-user", "1000:1001", "-p", "127.0.0.1:8089:80", "-cap-add", "SYS_TIME", "-cap-drop", "CHOWN",
			"/bin/echo", "two  blanks, a\ttab, \"quotes\" and \\ and ü"},
		"everything left out": {"run", "-without", "uts,pid,ipc,net,cgroupns,pivot,mask,caps,nnp,seccomp,limits", "/bin/echo", "hi"},
		"without mnt":         {"run", "-without", "mnt", "-network", "none", "/bin/echo", "hi"},
		"privileged":          {"run", "-privileged", "-network", "host", "/bin/echo", "hi"},
		"user namespace":      {"run", "-userns", "-security-opt", "seccomp=unconfined", "-cap-drop", "ALL", "/bin/echo", "hi"},
		"an init":             {"run", "-network", "none", "-init", "/bin/echo", "hi"},
		"no such command":     {"run", "-network", "none", "nosuchcommand"},
		"no program":          {"run", "-network", "none", "/bin"},
	} {
		t.Run(name, func(t *testing.T) { equalsStrace(t, lesson, args...) })
	}
}

// With each primitive left out, too.
func TestWithoutNarrationEqualsStrace(t *testing.T) {
	asRoot(t)
	for _, primitive := range strings.Split("uts,pid,mnt,ipc,net,cgroupns,user,pivot,mask,caps,nnp,seccomp,limits", ",") {
		if testing.Short() && primitive != "user" && primitive != "pid" {
			continue
		}
		t.Run(primitive, func(t *testing.T) {
			equalsStrace(t, lesson, "run", "-network", "none", "-without", primitive, "/bin/echo", "hi")
		})
	}
}

// And for an ordinary user. Without newuidmap: strace takes its rights away.
func TestRootlessNarrationEqualsStrace(t *testing.T) {
	nothingLeft(t)
	user := ordinaryUser(t)
	if leftToOrdinaryUser() {
		t.Skip("the ordinary user's own run of the tests does that")
	}
	equalsStrace(t, user, "run", "/bin/echo", "hi")
}

// So does exec.
func TestExecNarrationEqualsStrace(t *testing.T) {
	asRoot(t)
	id := detached(t, lesson, "-memory", "64m", "sleep", "1000")
	for name, args := range map[string][]string{
		"by default":      {"exec", id, "/bin/echo", "hi"},
		"as a user":       {"exec", "-user", "1000", "-w", "/tmp", "-e", "A=b", id, "/bin/echo", "hi"},
		"no such command": {"exec", id, "nosuchcommand"},
	} {
		t.Run(name, func(t *testing.T) { equalsStrace(t, lesson, args...) })
	}
}

// equalsStrace runs final with -json, and with -quiet under strace, and holds the one
// against the other.
func equalsStrace(t *testing.T, who lessontest.Lesson, args ...string) {
	t.Helper()
	who.Type(t, "-quiet", "run", "-network", "none", "true") // makes the root file system
	said := commandOf(t, who, append([]string{lessontest.Program(), "-json"}, args...)...)
	silent := commandOf(t, who, append([]string{lessontest.Program(), "-quiet"}, args...)...)
	if who != lesson || os.Geteuid() != 0 {
		said.Env, silent.Env = append(said.Env, "PATH=/nonexistent"), append(silent.Env, "PATH=/nonexistent")
	}
	compareWhole(t, lessontest.Whole{Command: "/bin/echo", Told: mustBeTold, Same: sameContainer}, said, silent)
}

// sameContainer replaces a container's id; and how a container's side ended that has
// reported a failure: by itself, or killed by the host's side, whoever is first.
func sameContainer(line string) string {
	return failedSide.ReplaceAllString(containerID.ReplaceAllString(line, "ID"), "${1}ENDED")
}

var (
	containerID = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
	failedSide  = regexp.MustCompile(`(si_code=)(?:CLD_KILLED(.*)si_status=SIGKILL|CLD_EXITED(.*)si_status=12[67])`)
)
