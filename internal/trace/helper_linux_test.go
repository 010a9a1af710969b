package trace

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The tests trace this test's own binary: with the variable helperName in its
// environment it is one of these programs. It begins when its stdin says so, or
// ends.
const helperName = "GONSRUN_TRACE_HELPER"

var helpers = map[string]func(args []string){
	"mark":    func(args []string) { mark(args[0]) },
	"calls":   helperCalls,
	"threads": helperThreads,
	"exec":    helperExec,
	"leader":  helperLeader,
	"signal":  helperSignal,
	"forks":   helperForks,
	"busy":    helperBusy,
	"fail":    helperFail,
	"spawn":   helperSpawn,
	"sleep":   func([]string) { time.Sleep(time.Hour) },
	"become":  func(args []string) { fmt.Println(syscall.Exec(args[0], args, os.Environ())) },
}

func init() {
	if os.Getenv(helperName) != "" {
		runtime.LockOSThread() // main runs on the process's first thread
	}
}

func TestMain(m *testing.M) {
	if helper := helpers[os.Getenv(helperName)]; helper != nil {
		os.Stdin.Read(make([]byte, 1))
		helper(os.Args[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// mark makes a call that a test can find: a change into a folder that is not there.
func mark(name string) { syscall.Chdir("/mark/" + name) }

// helperThreads makes many threads that make many calls.
func helperThreads([]string) {
	done := make(chan bool)
	for thread := range 8 {
		go func() {
			runtime.LockOSThread() // the thread ends with the goroutine
			for i := range 20 {
				mark(fmt.Sprintf("%d-%d", thread, i))
			}
			done <- true
		}()
	}
	for range 8 {
		<-done
	}
}

// helperExec makes an execve by another thread than the first.
func helperExec([]string) {
	go func() {
		runtime.LockOSThread()
		os.Setenv(helperName, "mark")
		null, _ := os.Open("/dev/null")
		unix.Dup2(int(null.Fd()), 0)
		syscall.Exec("/proc/self/exe", []string{"mark", "new program"}, os.Environ())
	}()
	select {}
}

// helperLeader ends the first thread long before the others.
func helperLeader([]string) {
	go func() {
		runtime.LockOSThread()
		time.Sleep(50 * time.Millisecond)
		mark("without the first thread")
		os.Exit(3)
	}()
	syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0)
}

// The call that helperSignal interrupts is known by these.
const (
	signalPipe  = 100
	signalClock = 7 // CLOCK_BOOTTIME, which Go does not sleep by
)

// helperSignal is interrupted in a call, by a signal with a handler that makes a
// call, too, or by one that has none.
func helperSignal(args []string) {
	kind, how := args[0], args[1]
	var ends [2]int
	unix.Pipe(ends[:])
	unix.Dup3(ends[0], signalPipe, 0)
	pid, thread := os.Getpid(), unix.Gettid()
	sig := unix.SIGUSR1
	switch how {
	case "handler":
		handle(sig, 0)
	case "restart":
		handle(sig, 0x10000000) // SA_RESTART
	case "ignored":
		sig = unix.SIGWINCH
		signal.Ignore(sig)
	case "stop":
		sig = unix.SIGSTOP
	}
	go func() {
		runtime.LockOSThread()
		for range 3 {
			time.Sleep(30 * time.Millisecond)
			unix.Tgkill(pid, thread, sig)
			if how == "stop" {
				break
			}
		}
		time.Sleep(200 * time.Millisecond)
		unix.Write(ends[1], []byte("x"))
	}()
	var errno syscall.Errno
	switch kind {
	case "read":
		var b [1]byte
		_, _, errno = syscall.Syscall(syscall.SYS_READ, signalPipe, uintptr(unsafe.Pointer(&b)), 1)
	case "sleep":
		pause := unix.Timespec{Nsec: 300e6}
		_, _, errno = syscall.Syscall6(syscall.SYS_CLOCK_NANOSLEEP, signalClock, 0, uintptr(unsafe.Pointer(&pause)), 0, 0, 0)
	}
	mark("then " + fmt.Sprint(int(errno)))
}

// handle installs a handler that Go knows nothing of: a few instructions that
// call chdir("/mark/handler").
func handle(sig syscall.Signal, flags uint64) {
	code, _ := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	copy(code[256:], "/mark/handler\x00")
	address := uint64(uintptr(unsafe.Pointer(&code[0])))
	path := binary.LittleEndian.AppendUint64(nil, address+256)
	switch runtime.GOARCH {
	case "amd64":
		handler := append([]byte("\x48\xc7\xc0\x50\x00\x00\x00\x48\xbf"), path...) // mov $80, %rax; mov path, %rdi
		copy(code, append(handler, "\x0f\x05\xc3"...))                             // syscall; ret
		copy(code[128:], "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05")                   // mov $15, %rax; syscall: rt_sigreturn
		flags |= 0x04000000                                                        // SA_RESTORER
	case "arm64":
		for i, instruction := range []uint32{0xd2800628, 0x58000060, 0xd4000001, 0xd65f03c0} { // mov x8, 49; ldr x0, path; svc 0; ret
			binary.LittleEndian.PutUint32(code[4*i:], instruction)
		}
		copy(code[16:], path)
	}
	unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC)
	flags |= 0x08000000 // SA_ONSTACK
	action := [4]uint64{address, flags, address + 128, 0}
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// helperForks makes processes without an execve, one after the other.
func helperForks(args []string) {
	for range len(args) {
		pid, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			syscall.RawSyscall(syscall.SYS_CHDIR, 0, 0, 0)
			syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 7, 0, 0)
		}
		var status syscall.WaitStatus
		syscall.Wait4(int(pid), &status, 0, nil)
	}
}

// helperBusy writes, in many threads, until it is killed.
func helperBusy([]string) {
	for range 6 {
		go func() {
			runtime.LockOSThread()
			for {
				os.Stdout.Write([]byte("x"))
				time.Sleep(time.Millisecond)
			}
		}()
	}
	select {}
}

// helperFail makes a folder, in each of several threads, and says what it was told.
func helperFail(args []string) {
	done := make(chan error)
	for _, path := range args {
		go func() {
			runtime.LockOSThread()
			done <- syscall.Mkdir(path, 0o700)
		}()
		fmt.Println(<-done)
	}
}

// helperSpawn makes short threads all the time, from the beginning on, and ends
// after a moment.
func helperSpawn([]string) {
	end := time.Now().Add(20 * time.Millisecond)
	done := make(chan bool)
	for time.Now().Before(end) {
		go func() {
			runtime.LockOSThread()
			done <- true
		}()
		<-done
	}
}

// helper is a program that a test traces.
type helper struct {
	pid    int
	stdin  io.WriteCloser
	stdout io.Reader
}

// start starts a helper, which waits for run.
func start(t *testing.T, name string, args ...string) *helper {
	t.Helper()
	command := exec.Command("/proc/self/exe", args...)
	command.Env = append(os.Environ(), helperName+"="+name, "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	command.SysProcAttr = apart()
	stdin, err1 := command.StdinPipe()
	stdout, err2 := command.StdoutPipe()
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil || err1 != nil || err2 != nil {
		t.Fatal(err, err1, err2)
	}
	h := &helper{command.Process.Pid, stdin, stdout}
	t.Cleanup(func() {
		unix.Kill(h.pid, unix.SIGKILL)
		unix.Wait4(h.pid, nil, 0, nil)
		stdin.Close()
	})
	return h
}

// apart is for programs that get a network namespace of their own: also strace, which
// finds out only about sockets of its own namespace what they speak.
func apart() *syscall.SysProcAttr {
	if unix.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
}

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// seize traces a helper and lets it begin. The test's goroutine is locked to its
// thread from then on: ptrace(2) asks for that.
func (h *helper) seize(t *testing.T) *Tracer {
	t.Helper()
	runtime.LockOSThread()
	tracer, err := Seize(h.pid)
	if err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() {
		t.Errorf("the program has not ended after %v: something is never continued", patience)
		h.killAll()
	})
	t.Cleanup(func() { late.Stop() })
	h.begin()
	return tracer
}

func (h *helper) begin() { h.stdin.Write([]byte("g")) }

// killAll kills the helper and what it has made.
func (h *helper) killAll() {
	tasks, _ := os.ReadDir("/proc")
	for _, task := range tasks {
		status, _ := os.ReadFile("/proc/" + task.Name() + "/environ")
		if strings.Contains(string(status), helperName+"=") && task.Name() != fmt.Sprint(os.Getpid()) {
			var pid int
			fmt.Sscan(task.Name(), &pid)
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// follow handles all events until nothing is traced anymore.
func follow(tracer *Tracer, handle func(Event)) {
	for s, ok := tracer.Wait(); ok; s, ok = tracer.Wait() {
		feed(tracer, s, handle)
	}
}

func feed(tracer *Tracer, s stop, handle func(Event)) {
	if e, ok := tracer.Event(s); ok {
		handle(e)
	}
	for e, ok := tracer.Next(); ok; e, ok = tracer.Next() {
		handle(e)
	}
}

// carryOn continues whatever waits after an event.
func carryOn(tracer *Tracer, e Event) {
	switch e.Kind {
	case Ended:
		return
	case Born:
		tracer.ContinueBorn(e.Child)
	}
	tracer.Continue(e.Thread)
}

// marked is the name of the mark that a call makes, "" for another call.
func marked(e Event) string {
	if e.Call == nil || e.Call.Name() != "chdir" {
		return ""
	}
	if e.Kind == Entry {
		e.Call.Read()
	}
	name, _ := strings.CutPrefix(e.Call.Path, "/mark/")
	return name
}

// missing skips a test, with what this machine lacks for it. Where every test
// must run, in CI, that is an error.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
