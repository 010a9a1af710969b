package enter

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gonsrun/internal/proc"
)

// What a process says of its parent-death signal is its first thread's.
func init() { runtime.LockOSThread() }

// The test binary plays every part: the container's first process, the process
// that is started inside, and one that starts it and is then killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "container":
			containerMain()
		case "join":
			json.NewEncoder(os.NewFile(3, "report")).Encode(look())
			os.Exit(7)
		case "exit":
			os.Exit(7)
		case "wait":
			io.Copy(io.Discard, os.NewFile(3, "pipe"))
			os.Exit(0)
		case "starter":
			starterMain()
		}
	}
	runtime.UnlockOSThread()
	os.Exit(m.Run())
}

const (
	hostname = "inside"
	ownDir   = "/tmp" // in the container a tmpfs, with the file marker
	marker   = ownDir + "/marker"
)

// containerMain makes a container as far as its namespaces allow, and is its
// first process until stdin ends.
func containerMain() {
	must := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	must(os.NewSyscallError("sethostname", unix.Sethostname([]byte(hostname))))
	must(os.NewSyscallError("mount private", unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")))
	must(os.NewSyscallError("mount proc", unix.Mount("proc", "/proc", "proc", 0, "")))
	must(os.NewSyscallError("mount tmpfs", unix.Mount("tmpfs", ownDir, "tmpfs", 0, "")))
	must(os.WriteFile(marker, nil, 0o644))
	if os.Args[2] == "chroot" {
		must(os.Mkdir(ownDir+"/root", 0o755))
		must(os.NewSyscallError("mount bind", unix.Mount("/", ownDir+"/root", "", unix.MS_BIND, ""))) // without the mount that holds the marker
		must(os.NewSyscallError("mount proc", unix.Mount("proc", ownDir+"/root/proc", "proc", 0, "")))
		must(os.NewSyscallError("chroot", unix.Chroot(ownDir+"/root")))
		must(os.Chdir("/"))
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// view is what a process says of itself.
type view struct {
	PID, UID, GID int
	Args, Env     []string
	Cwd           string
	Hostname      string
	Marker        bool
	Root          string // device and inode
	Namespaces    map[string]string
	Files         []string
	OpenFiles     uint64
	Status        map[string]string // of /proc/self/status
	Pdeathsig     int32
}

func look() view {
	v := view{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid(), Args: os.Args, Env: os.Environ(),
		Namespaces: map[string]string{}, Status: map[string]string{}}
	v.Cwd, _ = os.Getwd()
	v.Hostname, _ = os.Hostname()
	_, err := os.Stat(marker)
	v.Marker = err == nil
	var st unix.Stat_t
	unix.Stat("/", &st)
	v.Root = fmt.Sprint(st.Dev, st.Ino)
	for _, ns := range namespaces {
		v.Namespaces[ns.name], _ = os.Readlink("/proc/self/ns/" + ns.name)
	}
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if target, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil { // not that of ReadDir
			v.Files = append(v.Files, f.Name()+" "+target)
		}
	}
	for _, line := range strings.Split(proc.Read("/proc/self/status"), "\n") {
		name, value, _ := strings.Cut(line, ":")
		v.Status[name] = strings.TrimSpace(value)
	}
	limits := proc.Read("/proc/self/limits")
	_, line, _ := strings.Cut(limits, "Max open files")
	fmt.Sscan(line, &v.OpenFiles)
	unix.Prctl(unix.PR_GET_PDEATHSIG, pointer(&v.Pdeathsig), 0, 0, 0)
	return v
}

// kinds of containers. Each has all the namespaces that it names.
type kind struct {
	name  string
	attr  syscall.SysProcAttr
	root  string // "" for that of its mount namespace, else chroot
	names []string
}

const cloneAll = unix.CLONE_NEWCGROUP | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWNS

var (
	allNames = []string{"mnt", "uts", "ipc", "user", "pid", "net", "cgroup"}
	plain    = kind{name: "root's", attr: syscall.SysProcAttr{Cloneflags: cloneAll}, names: allNames}
)

func mapped(name string, id, size int) kind {
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: id, Size: size}}
	return kind{name: name, names: allNames, attr: syscall.SysProcAttr{
		Cloneflags: cloneAll | unix.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		Credential: &syscall.Credential{NoSetGroups: true}}} // root there
}

// start starts a container and returns its pid.
func (k kind) start(t *testing.T) int {
	t.Helper()
	c := exec.Command("/proc/self/exe", "container", k.root)
	c.Dir = "/"
	c.SysProcAttr = &k.attr
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, _ := c.StdoutPipe()
	if err := c.Start(); err != nil {
		if os.Geteuid() != 0 && (errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSPC)) {
			t.Skipf("this machine lets no ordinary user make a user namespace: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); c.Wait() })
	ready := make([]byte, 6)
	if _, err := io.ReadFull(stdout, ready); err != nil {
		t.Fatalf("the container did not start: %v", err)
	}
	return c.Process.Pid
}

// enterAndLook starts a process in the container, and returns what it saw.
func enterAndLook(t *testing.T, c Command) (v view) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	c.Args, c.Env = []string{"final", "join", "two  blanks"}, []string{"A=b"}
	c.Files = []uintptr{0, 1, 2, write.Fd()}
	pid, err := Start(c)
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(read).Decode(&v); err != nil {
		t.Errorf("what it saw: %v", err)
	}
	expectStatus(t, pid, 7)
	return v
}

func expectStatus(t *testing.T, pid, status int) {
	t.Helper()
	var ws unix.WaitStatus
	if _, err := unix.Wait4(pid, &ws, 0, nil); err != nil || ws.ExitStatus() != status {
		t.Errorf("wait for our child %d: %v, status %#x, want exit status %d", pid, err, ws, status)
	}
}

func TestRoot(t *testing.T) {
	needRoot(t)
	chrooted := plain
	chrooted.name, chrooted.root = "one that was chrooted", "chroot"
	for _, k := range []kind{plain, mapped("one with a user namespace", 100000, 65536), chrooted} {
		t.Run(k.name, func(t *testing.T) { checkEnter(t, k) })
	}
}

func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() == 0 {
		againAsOrdinaryUser(t)
		return
	}
	k := mapped("one's own", os.Getuid(), 1)
	k.attr.GidMappings[0].HostID = os.Getgid()
	checkEnter(t, k)
	t.Run("many at once", func(t *testing.T) { checkMany(t, k.start(t), 40) })
}

// checkEnter starts a process in a container and holds what it sees against
// what the container's first process is.
func checkEnter(t *testing.T, k kind) {
	children := childrenOf(t)
	pid := k.start(t)
	v := enterAndLook(t, Command{PID: pid, Namespaces: k.names, Chroot: k.root == "chroot"})

	for _, ns := range namespaces {
		want, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns.name))
		if v.Namespaces[ns.name] != want {
			t.Errorf("namespace %s is %s, the container's is %s (%v)", ns.name, v.Namespaces[ns.name], want, err)
		}
	}
	var root unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/root/", pid), &root); err != nil || v.Root != fmt.Sprint(root.Dev, root.Ino) {
		t.Errorf("root is %s, want %d %d (%v)", v.Root, root.Dev, root.Ino, err)
	}
	if inNewMounts := k.root == ""; v.Hostname != hostname || v.Marker != inNewMounts || v.Cwd != "/" {
		t.Errorf("hostname %q, marker %v, working directory %q", v.Hostname, v.Marker, v.Cwd)
	}
	if v.UID != 0 || v.GID != 0 || v.PID == 1 || v.PID > 20 {
		t.Errorf("uid %d gid %d pid %d, want 0, 0, and a small pid", v.UID, v.GID, v.PID)
	}
	if !slices.Equal(v.Args, []string{"final", "join", "two  blanks"}) || !slices.Equal(v.Env, []string{"A=b"}) {
		t.Errorf("arguments %q, environment %q", v.Args, v.Env)
	}
	ours := look()
	if want := proc.Read(fmt.Sprintf("/proc/%d/status", pid)); !strings.Contains(want, "CapEff:\t"+v.Status["CapEff"]) {
		t.Errorf("it has the capabilities %s, unlike the container's first process:\n%s", v.Status["CapEff"], want)
	}
	if v.Status["SigBlk"] != ours.Status["SigBlk"] || v.Status["SigIgn"] != ours.Status["SigIgn"] {
		t.Errorf("signals blocked %s, ignored %s; ours %s, %s", v.Status["SigBlk"], v.Status["SigIgn"], ours.Status["SigBlk"], ours.Status["SigIgn"])
	}
	if v.Pdeathsig != int32(unix.SIGKILL) {
		t.Errorf("parent-death signal %d", v.Pdeathsig)
	}
	for i, file := range v.Files {
		fd, target, _ := strings.Cut(file, " ")
		if n, _ := strconv.Atoi(fd); n != i && !strings.HasPrefix(target, "anon_inode:") { // the runtime's
			t.Errorf("open files %q: want 0 to 3, and what the runtime opened since", v.Files)
			break
		}
	}
	if after := childrenOf(t); len(after) != len(children)+1 { // the container's first process
		t.Errorf("children before %v, after %v", children, after)
	}
}

func TestSomeNamespaces(t *testing.T) {
	needRoot(t)
	pid := plain.start(t)
	ours := look()
	v := enterAndLook(t, Command{PID: pid, Namespaces: []string{"uts"}})
	for _, ns := range namespaces {
		if same := v.Namespaces[ns.name] == ours.Namespaces[ns.name]; same != (ns.name != "uts") {
			t.Errorf("only uts was asked for; %s is %s, ours is %s", ns.name, v.Namespaces[ns.name], ours.Namespaces[ns.name])
		}
	}
	if v.Hostname != hostname || v.Marker {
		t.Errorf("hostname %q, marker %v", v.Hostname, v.Marker)
	}
}

// The Go runtime raises its own limit for open files. The command in the
// container must not get that one.
func TestOpenFiles(t *testing.T) {
	needRoot(t)
	pid := plain.start(t)
	var limit unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = 321
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		t.Fatal(err)
	}
	if got := openFilesOf(pid); got.Cur != 321 || got.Max != limit.Max {
		t.Errorf("limit %+v, want 321 of %d", got, limit.Max)
	}
	if got := openFilesOf(0); got.Cur > 1024 {
		t.Errorf("of a process that is not there: %+v", got)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	read, write, _ := os.Pipe()
	defer read.Close()
	c := Command{PID: pid, Namespaces: allNames, Args: []string{"final", "wait"}, Env: []string{}, Files: []uintptr{0, 1, 2, read.Fd()}}
	entered, err := Start(c)
	if err != nil {
		t.Fatal(err)
	}
	// Its runtime raises the soft limit again, to the hard one, and gives the
	// old one to what it executes; the hard one must be as before.
	if _, line, _ := strings.Cut(proc.Read(fmt.Sprintf("/proc/%d/limits", entered)), "Max open files"); !strings.Contains(line, strconv.FormatUint(limit.Max, 10)) {
		t.Errorf("limits of the new process: %.40s", line)
	}
	write.Close()
	expectStatus(t, entered, 0)
}

func TestMany(t *testing.T) {
	needRoot(t)
	n := 500
	if testing.Short() {
		n = 50
	}
	checkMany(t, mapped("", 100000, 65536).start(t), n)
}

// checkMany enters a container n times, from eight threads, while others keep
// the garbage collector and the scheduler busy.
func checkMany(t *testing.T, pid, n int) {
	stop := make(chan struct{})
	var busy, wait sync.WaitGroup
	busy.Add(1)
	go func() {
		defer busy.Done()
		for keep := [][]byte{}; ; keep = append(keep, make([]byte, 1<<16)) {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond): // not to take a whole CPU
			}
			if len(keep) == 16 {
				keep = nil
				runtime.GC()
			}
		}
	}()
	work := make(chan int)
	for range 8 {
		wait.Add(1)
		go func() {
			runtime.LockOSThread() // and the thread ends with the goroutine
			defer wait.Done()
			for range work {
				entered, err := Start(Command{PID: pid, Namespaces: allNames, Args: []string{"final", "exit"}, Files: []uintptr{0, 1, 2}})
				if err != nil {
					t.Error(err)
					continue
				}
				expectStatus(t, entered, 7)
			}
		}()
	}
	for i := range n {
		work <- i
	}
	close(work)
	wait.Wait()
	close(stop)
	busy.Wait()
}

func TestErrors(t *testing.T) {
	needRoot(t)
	pid := plain.start(t)
	notExecutable, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer notExecutable.Close()
	good := Command{PID: pid, Namespaces: allNames, Args: []string{"final", "exit"}, Files: []uintptr{0, 1, 2}}
	children := childrenOf(t)
	files := look().Files
	for _, test := range []struct {
		name   string
		change func(*Command)
		errno  error
		text   string
	}{
		{"no such process", func(c *Command) { c.PID = 1 << 30 }, unix.ENOENT, "/proc/1073741824"},
		{"no such namespace", func(c *Command) { c.Namespaces = []string{"uts", "time travel"} }, nil, `"time travel"`},
		{"no such descriptor", func(c *Command) { c.Files = []uintptr{0, 1, 999} }, unix.EBADF, "fcntl(999, F_DUPFD_CLOEXEC"},
		{"zero byte", func(c *Command) { c.Args = []string{"a\x00b"} }, unix.EINVAL, `"a\x00b"`},
		{"not a program", func(c *Command) { c.Program = int(notExecutable.Fd()) }, unix.EACCES, `execveat ["final" "exit"]`},
	} {
		c := good
		test.change(&c)
		runtime.LockOSThread()
		pid, err := Start(c)
		if err == nil || test.errno != nil && !errors.Is(err, test.errno) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: pid %d, error %v; want %v and %s", test.name, pid, err, test.errno, test.text)
		}
	}
	if after := childrenOf(t); !slices.Equal(children, after) {
		t.Errorf("a failed start leaves processes: before %v, after %v", children, after)
	}
	if after := look().Files; len(after) != len(files) {
		t.Errorf("a failed start leaves open files: before %q, after %q", files, after)
	}
}

// An ordinary user may not enter root's container, and learns which step it was.
func TestNotMine(t *testing.T) {
	if os.Geteuid() == 0 {
		pid := plain.start(t)
		t.Setenv("ENTER_TEST_PID", strconv.Itoa(pid))
		againAsOrdinaryUser(t)
		return
	}
	pid, err := strconv.Atoi(os.Getenv("ENTER_TEST_PID"))
	if err != nil {
		t.Skip("run by root's test")
	}
	if _, err = Start(Command{PID: pid, Namespaces: allNames, Args: []string{"final"}}); !errors.Is(err, unix.EACCES) || !strings.Contains(err.Error(), "ns/") {
		t.Errorf("error %v, want EACCES and which namespace", err)
	}
}

// starterMain starts a process in a container, or only the copy that would,
// says its pid, and waits to be killed.
func starterMain() {
	runtime.LockOSThread()
	if os.Args[2] == "0" {
		h, err := fork()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(h.pid)
	} else {
		container, _ := strconv.Atoi(os.Args[2])
		pid, err := Start(Command{PID: container, Namespaces: allNames, Args: []string{"final", "wait"}, Files: []uintptr{0, 1, 2, 3}})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(pid)
	}
	unix.Pause()
}

func TestDiesWithStarter(t *testing.T) {
	needRoot(t)
	container := mapped("", 100000, 65536).start(t)
	for _, which := range []string{strconv.Itoa(container), "0"} {
		endless, keep, _ := os.Pipe() // for the process to wait on
		starter := exec.Command("/proc/self/exe", "starter", which)
		starter.ExtraFiles = []*os.File{endless}
		stdout, _ := starter.StdoutPipe()
		if err := starter.Start(); err != nil {
			t.Fatal(err)
		}
		var pid int
		if _, err := fmt.Fscan(stdout, &pid); err != nil {
			t.Fatal(err)
		}
		pidfd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			t.Fatal(err)
		}
		starter.Process.Kill()
		starter.Wait()
		ended := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
		if n, err := unix.Poll(ended, 5000); n != 1 {
			t.Errorf("starter %s was killed, and %d lives on (%v)", which, pid, err)
			unix.Kill(pid, unix.SIGKILL)
		}
		unix.Close(pidfd)
		keep.Close()
		endless.Close()
	}
}

// childrenOf lists our child processes, by pid.
func childrenOf(t *testing.T) (children []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		children = append(children, strings.Fields(proc.Read(file))...)
	}
	slices.Sort(children)
	return children
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: go test -exec sudo")
	}
}

// againAsOrdinaryUser runs the same test again, as the user nobody.
func againAsOrdinaryUser(t *testing.T) {
	t.Helper()
	const nobody = 65534
	c := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+t.Name()+"$")
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("as the user nobody: %v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("%s", out)
	}
}
