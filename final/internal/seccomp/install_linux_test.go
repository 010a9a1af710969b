package seccomp

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A filter cannot be taken off, so it is tried in a child: this test binary
// again, told by sceneVariable what to be.
const (
	sceneVariable = "SECCOMP_TEST_SCENE"
	keptVariable  = "SECCOMP_TEST_KEPT" // the capabilities kept, in hexadecimal
	markVariable  = "SECCOMP_TEST_MARK" // set when the filter answers markEPERM
)

// markEPERM is an errno that no kernel gives. A filter whose EPERM is exchanged
// for it leaves no doubt who answered. ENOSYS stays: the C library depends on it.
const markEPERM = unix.Errno(4001)

var scenes = map[string]func() error{
	"start": startFiltered,
	"calls": makeCalls,
	"work":  ordinaryWork,
	"bare":  installBare,
}

func TestMain(m *testing.M) {
	name := os.Getenv(sceneVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	runtime.LockOSThread()
	if err := scenes[name](); err != nil {
		fmt.Fprintln(os.Stderr, "scene", name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startFiltered does what a container does at its end: no_new_privs, the
// filter, execve. A command that begins with a colon is a scene.
func startFiltered() error {
	p, err := filterFromEnvironment()
	if err != nil {
		return err
	}
	if err := NoNewPrivs(); err != nil {
		return err
	}
	if err := p.Install(); err != nil {
		return err
	}
	command := os.Args[1:]
	os.Unsetenv(sceneVariable)
	if scene, ok := strings.CutPrefix(command[0], ":"); ok {
		os.Setenv(sceneVariable, scene)
		command[0] = "/proc/self/exe"
	}
	return unix.Exec(command[0], command, os.Environ())
}

func filterFromEnvironment() (Program, error) {
	kept, err := strconv.ParseUint(os.Getenv(keptVariable), 16, 64)
	if err != nil {
		return nil, err
	}
	p, err := Default(keeps(kept))
	if err == nil && os.Getenv(markVariable) != "" {
		putMark(p)
	}
	return p, err
}

func putMark(p Program) {
	for i := range p {
		if p[i].Code == returnK && p[i].K == sayEPERM {
			p[i].K = unix.SECCOMP_RET_ERRNO | uint32(markEPERM)
		}
	}
}

// trial is a system call to make, and the errno that came of it.
type trial struct {
	Name      string
	Number    uint32
	Arguments [6]uint64
	Errno     unix.Errno
}

// makeCalls makes the calls it reads, and writes them with their errnos.
func makeCalls() error {
	unix.Setsid() // so that vhangup has no terminal to hang up
	var trials []trial
	if err := json.NewDecoder(os.Stdin).Decode(&trials); err != nil {
		return err
	}
	for i := range trials {
		t := &trials[i]
		a := t.Arguments
		_, _, t.Errno = unix.RawSyscall6(uintptr(t.Number), uintptr(a[0]), uintptr(a[1]), uintptr(a[2]), uintptr(a[3]), uintptr(a[4]), uintptr(a[5]))
	}
	return json.NewEncoder(os.Stdout).Encode(trials)
}

// start runs a command behind the filter and returns what it printed.
func start(t *testing.T, kept uint64, mark bool, input string, command ...string) (string, error) {
	t.Helper()
	needsTable(t)
	cmd := exec.Command("/proc/self/exe", command...)
	cmd.Env = append(os.Environ(), sceneVariable+"=start", fmt.Sprintf("%s=%x", keptVariable, kept))
	if mark {
		cmd.Env = append(cmd.Env, markVariable+"=1")
	}
	cmd.Stdin = strings.NewReader(input)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w\n%s", err, complaints.String())
	}
	return out.String(), nil
}

func needsTable(t *testing.T) {
	t.Helper()
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("there is no filter for", runtime.GOARCH)
	}
}

func try(t *testing.T, kept uint64, mark bool, trials []trial) []trial {
	t.Helper()
	input, err := json.Marshal(trials)
	if err != nil {
		t.Fatal(err)
	}
	out, err := start(t, kept, mark, string(input), ":calls")
	if err != nil {
		t.Fatal(err)
	}
	var done []trial
	if err := json.Unmarshal([]byte(out), &done); err != nil || len(done) != len(trials) {
		t.Fatalf("%d trials came back of %d: %v", len(done), len(trials), err)
	}
	return done
}

// nonsense are arguments with which no call does anything: no address, no file
// descriptor, no process, flags that do not exist.
var nonsense = [6]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}

// blocked are all calls of this architecture that are not simply allowed.
func blocked(t *testing.T) (trials []trial, unless map[string]uint64, verdicts map[string]label) {
	t.Helper()
	needsTable(t)
	unless, verdicts = map[string]uint64{}, map[string]label{}
	for _, g := range table {
		for _, c := range g.calls {
			n := c.number(architectures[runtime.GOARCH])
			if n == none || g.verdict != denied && g.verdict != absent && g.verdict != checkClone {
				continue
			}
			unless[c.name], verdicts[c.name] = g.unless, g.verdict
			trials = append(trials, trial{Name: c.name, Number: uint32(n), Arguments: nonsense})
		}
	}
	if len(trials) < 50 {
		t.Fatalf("only %d calls are blocked", len(trials))
	}
	return trials, unless, verdicts
}

func TestEachBlockedCall(t *testing.T) {
	trials, unless, verdicts := blocked(t)
	for _, kept := range []uint64{0, dockers} {
		for _, got := range try(t, kept, false, trials) {
			want := unix.EPERM
			if verdicts[got.Name] == absent {
				want = unix.ENOSYS
			}
			if unless[got.Name]&kept == 0 && got.Errno != want {
				t.Errorf("keeping %#x, %s: %v, want %v", kept, got.Name, got.Errno, want)
			}
		}
	}
}

// With each capability alone, its calls reach the kernel and the others do not.
func TestEachCapabilityOpensItsCalls(t *testing.T) {
	trials, unless, verdicts := blocked(t)
	for capability := range 41 {
		kept := uint64(1) << capability
		for _, got := range try(t, kept, true, trials) {
			want := markEPERM
			if verdicts[got.Name] == absent {
				want = unix.ENOSYS
			}
			if opened := unless[got.Name]&kept != 0; opened == (got.Errno == want) {
				t.Errorf("keeping capability %d, %s: %v; opened should be %v", capability, got.Name, got.Errno, opened)
			}
		}
	}
}

func TestUnknownNumbersAreAbsent(t *testing.T) {
	var trials []trial
	for _, n := range []uint32{500, 511, 512, 1000, 1023, 5000, 1<<30 | 39, 1<<30 | 512, 1<<31 - 1} {
		trials = append(trials, trial{Name: fmt.Sprint(n), Number: n, Arguments: nonsense})
	}
	for _, got := range try(t, 1<<41-1, false, trials) {
		if got.Errno != unix.ENOSYS {
			t.Errorf("call %s: %v, want ENOSYS", got.Name, got.Errno)
		}
	}
}

func TestArgumentsForReal(t *testing.T) {
	needsTable(t)
	const noFile = ^uint64(0)
	cases := []struct {
		call      string
		arguments [6]uint64
		blocked   bool
	}{
		{"clone", [6]uint64{unix.CLONE_NEWUSER | unix.CLONE_SIGHAND}, true}, // SIGHAND alone would be EINVAL
		{"clone", [6]uint64{unix.CLONE_SIGHAND}, false},
		{"socket", [6]uint64{unix.AF_ALG, unix.SOCK_SEQPACKET}, true},
		{"socket", [6]uint64{unix.AF_ALG | 1<<32, unix.SOCK_SEQPACKET}, true},
		{"socket", [6]uint64{unix.AF_VSOCK, unix.SOCK_STREAM}, true},
		{"socket", [6]uint64{unix.AF_UNIX, unix.SOCK_STREAM}, false},
		{"socket", [6]uint64{unix.AF_NETLINK, unix.SOCK_RAW}, false},
		{"personality", [6]uint64{0x40000}, true},
		{"personality", [6]uint64{0xffffffff}, false},
		{"personality", [6]uint64{0}, false},
		{"ioctl", [6]uint64{noFile, unix.TIOCSTI}, true},
		{"ioctl", [6]uint64{noFile, unix.TIOCSTI | 1<<32}, true},
		{"ioctl", [6]uint64{noFile, unix.TIOCLINUX}, true},
		{"ioctl", [6]uint64{noFile, unix.TCGETS}, false},
	}
	var trials []trial
	for _, c := range cases {
		trials = append(trials, trial{c.call, numberOf(t, c.call, architectures[runtime.GOARCH]), c.arguments, 0})
	}
	for i, got := range try(t, dockers, true, trials) {
		if (got.Errno == markEPERM) != cases[i].blocked {
			t.Errorf("%s(%#x, %#x): %v, want blocked %v", got.Name, got.Arguments[0], got.Arguments[1], got.Errno, cases[i].blocked)
		}
	}
}

// What people run in containers works, behind the filter.
func TestOrdinaryWork(t *testing.T) {
	python := `
import hashlib, mmap, os, select, socket, subprocess, tempfile, threading, time
print(subprocess.check_output(["/bin/echo", "child"]).decode(), end="")
a, b = socket.socketpair(); a.send(b"pair"); print(b.recv(9).decode())
m = mmap.mmap(-1, 4096); m[:2] = b"ok"
t = threading.Thread(target=time.sleep, args=(0.001,)); t.start(); t.join()
p = select.epoll(); p.register(a); p.poll(0)
with tempfile.TemporaryDirectory() as d: os.symlink("x", d + "/y"); os.listdir(d)
print(os.urandom(4) != b"", open("/proc/self/status").read().split("Seccomp:")[1].split()[0])`
	for _, c := range []struct {
		name, packaged, want string
		command              []string
	}{
		{"a Go program", "", "worked\n", []string{":work"}},
		{"sh", "dash", "2\nA\n", []string{"sh", "-c", `grep Seccomp: /proc/self/status | tr -dc '0-9\n'; (echo a & wait) | tr a A`}},
		{"bash", "bash", "3\nx 9\n", []string{"bash", "-c", `seq 3 | tail -n 1; f() { read -r n < <(echo 9); echo "x $n"; }; f`}},
		{"busybox", "busybox-static", "b\n", []string{"busybox", "sh", "-c", `printf 'b\na\n' | busybox sort -r | busybox head -n 1`}},
		{"python3", "", "child\npair\nTrue 2\n", []string{"python3", "-c", python}},
		{"a signal", "dash", "trapped\n", []string{"sh", "-c", `trap 'echo trapped; exit 0' USR1; kill -USR1 $$; exit 1`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.HasPrefix(c.command[0], ":") {
				c.command[0] = tool(t, c.command[0], c.packaged)
			}
			out, err := start(t, dockers, false, "", c.command...)
			if err != nil || out != c.want {
				t.Errorf("printed %q, want %q; %v", out, c.want, err)
			}
		})
	}
}

// tool finds a program. One that .ci/run installs, as a Debian package, must be
// there when it says that it runs the tests.
func tool(t *testing.T, name, packaged string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case packaged != "" && os.Getenv("CI") != "":
		t.Fatalf("%v: apt-get install %s", err, packaged)
	default:
		t.Skip(err)
	}
	return ""
}

// ordinaryWork is a Go program that uses many parts of the system at once.
func ordinaryWork() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || !strings.Contains(string(status), "\nSeccomp:\t2\n") {
		return fmt.Errorf("no filter is on: %w", err)
	}
	directory, err := os.MkdirTemp("", "seccomp")
	if err != nil {
		return err
	}
	defer os.RemoveAll(directory)
	file := filepath.Join(directory, "file")
	if err := errors.Join(os.WriteFile(file, []byte("data"), 0o600), os.Chmod(file, 0o640), os.Rename(file, file+"2"), os.Symlink("file2", file)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		for connection, err := listener.Accept(); err == nil; connection, err = listener.Accept() {
			io.Copy(connection, connection)
			connection.Close()
		}
	}()
	var group sync.WaitGroup
	failures := make(chan error, 100)
	for range 20 {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread() // many threads
			failures <- echo(listener.Addr().String())
			time.Sleep(time.Millisecond)
		}()
	}
	group.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return err
		}
	}
	if err := exec.Command("/bin/sh", "-c", "cat "+file+" >/dev/null").Run(); err != nil {
		return err
	}
	fmt.Println("worked")
	return nil
}

func echo(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := connection.Write([]byte("ping")); err != nil {
		return err
	}
	connection.(*net.TCPConn).CloseWrite()
	back, err := io.ReadAll(connection)
	if err == nil && string(back) != "ping" {
		err = fmt.Errorf("%q came back", back)
	}
	return err
}

// installBare installs without no_new_privs and says what came of it.
func installBare() error {
	if unix.Getuid() == 0 {
		if err := unix.Setresuid(65534, 65534, 65534); err != nil {
			return err
		}
	}
	p, err := filterFromEnvironment()
	if err != nil {
		return err
	}
	if err := p.Install(); !errors.Is(err, unix.EACCES) {
		return fmt.Errorf("without no_new_privs: %v, want EACCES", err)
	}
	if err := NoNewPrivs(); err != nil {
		return err
	}
	return p.Install()
}

func TestInstallNeedsNoNewPrivs(t *testing.T) {
	needsTable(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), sceneVariable+"=bare", keptVariable+"=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What strace sees is no_new_privs, and then the filter.
func TestInstallCalls(t *testing.T) {
	needsTable(t)
	strace := tool(t, "strace", "strace")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(strace, "-f", "-qq", "-e", "trace=seccomp,prctl", "-e", "signal=none", self, "/bin/true")
	cmd.Env = append(os.Environ(), sceneVariable+"=start", fmt.Sprintf("%s=%x", keptVariable, dockers))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p, err := Default(keeps(dockers))
	if err != nil {
		t.Fatal(err)
	}
	trace := string(out)
	for _, call := range []string{"prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)", fmt.Sprintf("seccomp(SECCOMP_SET_MODE_FILTER, 0, {len=%d, filter=…})", len(p))} {
		before, after, shortened := strings.Cut(call, "…")
		_, rest, found := strings.Cut(trace, before)
		if shortened {
			_, rest, found = strings.Cut(rest, after)
		}
		result, _, _ := strings.Cut(rest, "\n")
		if !found || strings.TrimLeft(result, " ") != "= 0" {
			t.Errorf("%s is not in what strace says:\n%s", call, out)
		}
		trace = rest
	}
}
