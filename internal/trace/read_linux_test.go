package trace

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempt is a call that a helper makes. Strings, bytes and vectors become pointers,
// everything else is a number.
type attempt struct {
	name string
	args []any
}

type vector []any

// Bad arguments: a pointer to nothing, -1, what the kernel does not look at of a
// number of 32 bits, half a -1, AT_FDCWD.
const (
	bad   = uintptr(8)
	minus = ^uintptr(0)
	high  = uintptr(0xffffffff00000000)
	half1 = uintptr(0xffffffff)
	here  = minus - 99
)

// callGroups are the calls that Read knows, made well and badly. Each group is a
// helper of its own, in the folder dir, as it is root in namespaces of its own.
var callGroups = map[string]func(dir string) []attempt{
	"processes": processCalls,
	"mounts":    mountCalls,
	"newMounts": newMountCalls,
	"files":     fileCalls,
	"prctl":     prctlCalls,
	"privilege": privilegeCalls,
	"ids":       idCalls,
	"session":   sessionCalls,
	"netlink":   netlinkCalls,
	"bpf":       bpfCalls,
}

// helperCalls makes the calls of the group args[1] in the folder args[0].
func helperCalls(args []string) {
	dir := args[0]
	os.MkdirAll(dir, 0o755)
	os.Chdir(dir)
	// What is renamed and mounted below is not this machine's.
	if err := unix.Unshare(unix.CLONE_NEWUTS | unix.CLONE_NEWNS); err == nil {
		err = unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		if err != nil {
			panic(err)
		}
	} else if unix.Geteuid() == 0 {
		panic(err)
	}
	attempts := callGroups[args[1]](dir)
	mark("begin")
	for _, a := range attempts {
		a.make()
	}
	mark("end")
	unix.Unmount(filepath.Join(dir, "target"), unix.MNT_DETACH)
}

func (a attempt) make() {
	number := numberOf(a.name)
	if number < 0 {
		return // arm64 has only the newer form
	}
	v, keep := pointers(a.args)
	result, _, _ := syscall.RawSyscall6(uintptr(number), v[0], v[1], v[2], v[3], v[4], v[5])
	if a.name == "clone" && result == 0 {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 7, 0, 0)
	}
	runtime.KeepAlive(keep)
}

// open gives a file the number fd in a helper.
func open(path string, flags, fd int) {
	file, err := unix.Open(path, flags, 0o644)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", path, err))
	}
	unix.Dup3(file, fd, 0)
	unix.Close(file)
}

func numberOf(name string) int {
	for number := range uint64(1000) {
		if Name(number) == name {
			return int(number)
		}
	}
	return -1
}

// What Read says of a call is what strace(1) says, but for what it leaves out.
func TestReadEqualsStrace(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		missing(t, "strace is not installed")
	}
	compared := map[string]bool{}
	for group := range callGroups {
		t.Run(group, func(t *testing.T) { compareGroup(t, group, compared) })
	}
	for name := range readers() {
		switch {
		case numberOf(name) < 0, name == "fork", name == "vfork": // without arguments; a raw vfork returns twice onto one stack
			continue
		case name == "statmount": // strace 6.1 is older
			continue
		}
		if !compared[name] {
			t.Errorf("no %s is compared", name)
		}
	}
}

func compareGroup(t *testing.T, group string, compared map[string]bool) {
	ours := readCalls(t, group)
	theirs := straceCalls(t, group)
	for i := 0; i < max(len(ours), len(theirs)); i++ {
		var our, their string
		if i < len(ours) {
			our = ours[i]
		}
		if i < len(theirs) {
			their = theirs[i]
		}
		// An argument that is left out is an address; of a structure or a vector it is the rest.
		pattern := strings.ReplaceAll(regexp.QuoteMeta(our), `, …\}`, `, .*\}`)
		pattern = strings.ReplaceAll(pattern, `, …\]`, `, .*\]`)
		pattern = restLeft.ReplaceAllString(pattern, `$1, .*\)`)
		pattern = regexp.MustCompile(`([^"])…`).ReplaceAllString(pattern, "${1}0x[0-9a-f]+")
		if ok, err := regexp.MatchString("^"+pattern+"$", their); !ok || err != nil {
			t.Errorf("call %d:\n  ours   %.600s\n  strace %.600s", i, our, their)
		}
	}
	t.Logf("%d calls compared", len(ours))
	for _, text := range ours {
		name, _, _ := strings.Cut(text, "(")
		compared[name] = true
	}
}

// restLeft are calls of which only the operation is printed.
var restLeft = regexp.MustCompile(`^((?:prctl|keyctl)\\\(\w+), …\\\)`)

// readCalls are the calls of the helper as we read them.
func readCalls(t *testing.T, group string) (all []string) {
	h := start(t, "calls", filepath.Join(t.TempDir(), "same"), group)
	tracer := h.seize(t)
	between := false
	follow(tracer, func(e Event) {
		switch {
		case e.Thread.ID != h.pid || e.Call == nil || readers()[e.Call.Name()] == nil:
		case marked(e) == "begin" && e.Kind == Exit:
			between = true
		case marked(e) == "end":
			between = false
		case between && e.Kind == Entry:
			e.Call.Read()
			if e.Call.Arguments == nil {
				t.Errorf("%s has no arguments", e.Call.Name())
			}
		case between && e.Kind == Exit:
			e.Call.ReadAnswer()
			answer := fmt.Sprint(e.Call.Return())
			if errno := e.Call.Errno(); errno != 0 {
				answer += " " + ErrnoName(errno)
			}
			all = append(all, sameEachTime(e.Call.Text()+" = "+answer))
		}
		carryOn(tracer, e)
	})
	return all
}

// straceCalls are the calls of the helper as strace prints them.
func straceCalls(t *testing.T, group string) (all []string) {
	record := filepath.Join(t.TempDir(), "record")
	command := exec.Command("strace", "-f", "-yy", "-s", "4096", "-o", record, "/proc/self/exe", filepath.Join(t.TempDir(), "same"), group)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command.Args[len(command.Args)-3] = binary
	command.Env = append(os.Environ(), helperName+"=calls", "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	command.Stdin = strings.NewReader("g")
	command.SysProcAttr = apart()
	if out, err := command.CombinedOutput(); err != nil {
		missing(t, "strace: %v\n%s", err, out)
	}
	text, _ := os.ReadFile(record)
	lines := strings.Split(string(text), "\n")
	pid, _, _ := strings.Cut(lines[0], " ")
	between := false
	form := regexp.MustCompile(`^(\w+)(\(.*\)) += (-?\d+)(?: (E\w+))?`)
	begun := ""
	for _, line := range lines {
		rest, ok := strings.CutPrefix(line, pid+" ")
		rest = strings.TrimSpace(rest)
		if before, found := strings.CutSuffix(rest, "<unfinished ...>"); found && ok {
			begun = before
			continue
		}
		if _, after, found := strings.Cut(rest, "resumed>"); found && ok {
			rest = strings.TrimRight(begun, " ") + after
			if strings.HasSuffix(strings.TrimRight(begun, " "), ",") {
				rest = strings.TrimRight(begun, " ") + " " + strings.TrimLeft(after, " ")
			}
		}
		found := form.FindStringSubmatch(rest)
		if found == nil || !ok || readers()[found[1]] == nil {
			continue
		}
		switch {
		case strings.Contains(rest, `"/mark/begin"`):
			between = true
		case strings.Contains(rest, `"/mark/end"`):
			between = false
		case between:
			all = append(all, sameEachTime(strings.TrimSpace(found[1]+found[2]+" = "+found[3]+" "+found[4])))
		}
	}
	return all
}

// sameEachTime leaves out what differs from run to run, and what strace alone says:
// comments, pids, the working directory.
func sameEachTime(text string) string {
	text = strings.ReplaceAll(text, `"...`, `"…`)
	for pattern, with := range map[string]string{
		` /\* [^*]* \*/`:                          "",
		`AT_FDCWD<[^>]*>`:                         "AT_FDCWD",
		`si_pid=\d+`:                              "si_pid=PID",
		`/[^" ]*/same`:                            "DIR",
		`uts:\[\d+\]`:                             "uts:[N]",
		`^(clone.* = )[1-9]\d*`:                   "${1}PID",
		`^(wait4.* = )[1-9]\d*`:                   "${1}PID",
		`^(keyctl.* = )[1-9]\d*`:                  "${1}KEY",
		`pipe:\[\d+\]`:                            "pipe:[N]",
		`socket:\[\d+\]`:                          "SOCKET",
		`UNIX-STREAM:\[[^]]*\]`:                   "SOCKET",
		`NETLINK:\[\d+\]`:                         "SOCKET",
		`nlmsg_seq=12, nlmsg_pid=(?:PID|[1-9]).*`: "LIST", // of new interfaces
		`^read\(90<NETLINK.*, 4096`:               "READ", // it has the pid's bytes in it
		`ROUTE:\d+`:                               "ROUTE:PID",
		`NETFILTER:\d+`:                           "NETFILTER:PID",
		`nlmsg_pid=[1-9]\d*`:                      "nlmsg_pid=PID",
		`"xxxxxxxxxxxxxxxxx+"…?`:                  "LONG",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return text
}

// self is a call whose memory is this process's.
func self(number uint64, values ...uint64) *Call {
	c := &Call{Number: number, arch: ourArch, thread: &Thread{ID: os.Getpid(), Process: &Process{ID: os.Getpid()}}}
	copy(c.Values[:], values)
	return c
}

// What cannot be read is …, and never what is not there.
func TestReadUnreadable(t *testing.T) {
	text := edge(t, 3)
	copy(text, "abc")
	for _, test := range []struct {
		call *Call
		want string
	}{
		{self(unix.SYS_WRITE, 99, address(&text[0]), 10), "write(99, …, 10)"},
		{self(unix.SYS_CHDIR, address(&text[0])), "chdir(…)"},
		{self(unix.SYS_EXECVE, 0, 1, 2), "execve(NULL, …, …)"},
	} {
		test.call.Read()
		if got := test.call.Text(); got != test.want {
			t.Errorf("%s, expected %s", got, test.want)
		}
		if test.call.Path != "" || test.call.Data != nil || test.call.List != nil {
			t.Errorf("%s: Path %q, Data %q, List %q", test.want, test.call.Path, test.call.Data, test.call.List)
		}
	}
	foreign := self(unix.SYS_CHDIR, address(&text[0]))
	foreign.arch = unix.AUDIT_ARCH_I386
	if foreign.Read(); foreign.Name() != "" || foreign.Arguments != nil || foreign.MakesProcess() {
		t.Errorf("a 32-bit program's call is %s", foreign.Text())
	}
}

// A statmount(2) is read as later versions of strace print it.
func TestReadStatmount(t *testing.T) {
	request := edge(t, 32)
	copy(request, append(words(24, 0), numbers64(0x12, 5, 0)...))
	for _, test := range []struct {
		values []uint64
		want   string
	}{
		{[]uint64{address(&request[0]), 77, 512, 1 << 32}, "statmount({size=24, mnt_id=0x12, param=STATMOUNT_SB_BASIC|STATMOUNT_PROPAGATE_FROM}, …, 512, 0)"},
		{[]uint64{address(&request[16]), 0, 0, 1}, "statmount(…, NULL, 0, 0x1)"},
		{[]uint64{0, 1, 1, 1}, "statmount(NULL, …, 1, 0x1)"},
	} {
		c := self(unix.SYS_STATMOUNT, test.values...)
		if c.Read(); c.Text() != test.want {
			t.Errorf("%s, expected %s", c.Text(), test.want)
		}
	}
	copy(request, words(200))
	request[31] = 1
	c := self(unix.SYS_STATMOUNT, address(&request[0]), 0, 0, 0)
	if c.Read(); !strings.Contains(c.Text(), "STATMOUNT_PROPAGATE_FROM, …}") {
		t.Errorf("%s: a longer request", c.Text())
	}
}

// Nothing that a program hands to the kernel makes us fall over.
func FuzzRead(f *testing.F) {
	var numbers []uint64
	for number := range uint64(1000) {
		if readers()[Name(number)] != nil {
			numbers = append(numbers, number)
		}
	}
	text := edge(f, 4096)
	netlink, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { unix.Close(netlink) })
	for i := range numbers {
		f.Add(uint8(i), []byte("text\x00"), uint64(0), uint64(1), uint64(2), ^uint64(0), uint64(1<<63), uint8(0b111))
		f.Add(uint8(i), make([]byte, 200), ^uint64(0), ^uint64(7), uint64(1<<47), uint64(17), uint64(3), uint8(0b10101))
	}
	f.Fuzz(func(t *testing.T, which uint8, content []byte, a, b, c, d, e uint64, pointers uint8) {
		if len(content) > len(text) {
			content = content[:len(text)]
		}
		at := text[len(text)-len(content):] // it ends where the page does
		copy(at, content)
		if len(content) >= 8 { // a vector may lead to itself
			*(*uint64)(unsafe.Pointer(&at[0])) = address(&at[0])
		}
		call := self(numbers[int(which)%len(numbers)], a, b, c, d, e)
		for i := range 5 {
			if pointers&(1<<i) != 0 && len(content) > 0 {
				call.Values[i] = address(&at[0])
			}
		}
		if a%4 == 0 {
			call.Values[0], call.Result = uint64(netlink), int64(b)
		}
		call.Read()
		if call.Arguments == nil {
			t.Errorf("%s has no arguments", call.Name())
		}
		call.ReadAnswer()
		call.MakesProcess()
		call.WaitsFor(1)
		if text := call.Text(); len(text) > 8<<20 {
			t.Errorf("%s: %d bytes", call.Name(), len(text))
		}
		for _, argument := range call.Arguments {
			if i := strings.IndexFunc(argument, func(r rune) bool { return r != '…' && (r < ' ' || r > '~') }); i >= 0 {
				t.Errorf("raw text: %s", strconv.Quote(argument))
			}
		}
	})
}
