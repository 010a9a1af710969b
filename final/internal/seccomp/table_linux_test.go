package seccomp

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// conditions reads testdata/docker-default.txt: the conditions of each call.
func conditions(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("testdata/docker-default.txt")
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string][]string{}
	var now []string
	for _, l := range strings.Split(string(text), "\n") {
		switch {
		case l == "" || l[0] == '#':
		case strings.HasSuffix(l, ":"):
			now = strings.Fields(strings.TrimSuffix(l, ":"))
		default:
			for _, name := range strings.Fields(l) {
				facts[name] = now
			}
		}
	}
	if len(facts) < 300 {
		t.Fatalf("only %d calls in testdata/docker-default.txt", len(facts))
	}
	return facts
}

var capabilities = map[string]int{
	"CAP_BPF": unix.CAP_BPF, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH, "CAP_PERFMON": unix.CAP_PERFMON,
	"CAP_SYSLOG": unix.CAP_SYSLOG, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SYS_BOOT": unix.CAP_SYS_BOOT,
	"CAP_SYS_CHROOT": unix.CAP_SYS_CHROOT, "CAP_SYS_MODULE": unix.CAP_SYS_MODULE, "CAP_SYS_NICE": unix.CAP_SYS_NICE,
	"CAP_SYS_PACCT": unix.CAP_SYS_PACCT, "CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_SYS_RAWIO": unix.CAP_SYS_RAWIO,
	"CAP_SYS_TIME": unix.CAP_SYS_TIME, "CAP_SYS_TTY_CONFIG": unix.CAP_SYS_TTY_CONFIG,
}

// dockerSays returns what Docker's default filter answers to a call, with
// arguments that are all zero, in a container that keeps a set.
func dockerSays(t *testing.T, conditions []string, kept uint64) uint32 {
	t.Helper()
	answer := uint32(sayEPERM)
	for _, c := range conditions {
		number, isCapability := capabilities[c]
		switch {
		case c == "always", c == "args", isCapability && kept>>number&1 == 1:
			return sayAllow
		case c == "enosys":
			answer = sayENOSYS
		case !isCapability:
			t.Fatalf("testdata/docker-default.txt: %q is no condition", c)
		}
	}
	return answer
}

// For both architectures, every number, and every capability alone, none of
// them, Docker's and all: the filter answers as Docker's does, and ENOSYS to
// what is not in the table.
func TestFilterIsAsStrictAsDockers(t *testing.T) {
	facts := conditions(t)
	sets := []uint64{0, dockers, 1<<41 - 1}
	for capability := range 41 {
		sets = append(sets, 1<<capability)
	}
	for name, architecture := range architectures {
		names := map[uint32]string{}
		for _, g := range table {
			for _, c := range g.calls {
				if n := c.number(architecture); n != none {
					names[uint32(n)] = c.name
				}
			}
		}
		for _, kept := range sets {
			p := mustBuild(t, architecture, kept)
			for number := range uint32(1024) {
				want := uint32(sayENOSYS)
				if names[number] != "" {
					want = dockerSays(t, facts[names[number]], kept)
				}
				if got, _ := simulate(t, p, data{number, architecture, [6]uint64{}}); got != want {
					t.Errorf("%s, keeping %#x: call %d (%s) is answered with %s, Docker's filter says %s",
						name, kept, number, names[number], say(got), say(want))
				}
			}
		}
	}
}

// Every call that Docker's filter mentions is in the table, once.
func TestTableIsComplete(t *testing.T) {
	count := map[string]int{}
	for _, g := range table {
		for _, c := range g.calls {
			count[c.name]++
			if c.amd64 == none && c.arm64 == none || max(c.amd64, c.arm64) >= highest {
				t.Errorf("%s has the numbers %d and %d", c.name, c.amd64, c.arm64)
			}
		}
	}
	for name, n := range count {
		if n > 1 {
			t.Errorf("%s stands %d times", name, n)
		}
	}
	for name := range conditions(t) {
		if count[name] == 0 {
			t.Errorf("Docker's filter knows %s, the table does not", name)
		}
	}
}

// newer are the calls that x/sys knows and the table leaves out: what came
// after Linux 6.13, and a name that is no call.
var newer = map[string]bool{"open_tree_attr": true, "arch_specific_syscall": true}

// The numbers are compared with those of golang.org/x/sys, which are made from
// the kernel's own headers, for both architectures.
func TestNumbersAreTheKernels(t *testing.T) {
	directory := sysPackage(t)
	pattern := regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s+=\s+(\d+)$`)
	for name, architecture := range architectures {
		source, err := os.ReadFile(filepath.Join(directory, "zsysnum_linux_"+name+".go"))
		if err != nil {
			t.Fatal(err)
		}
		kernels := map[string]int{}
		for _, m := range pattern.FindAllStringSubmatch(string(source), -1) {
			kernels[strings.ToLower(m[1])], _ = strconv.Atoi(m[2])
		}
		if n, ok := kernels["fstatat"]; ok { // the older name, which x/sys has for arm64
			delete(kernels, "fstatat")
			kernels["newfstatat"] = n
		}
		for _, g := range table {
			for _, c := range g.calls {
				want, known := kernels[c.name]
				if !known {
					want = none
				}
				if got := int(c.number(architecture)); got != want {
					t.Errorf("%s of %s has the number %d, x/sys says %d", c.name, name, got, want)
				}
				delete(kernels, c.name)
			}
		}
		for left := range kernels {
			if !newer[left] {
				t.Errorf("%s of %s is not in the table", left, name)
			}
		}
	}
}

// sysPackage returns the folder of golang.org/x/sys/unix, from which this test
// was compiled: the compiler notes where each function is from.
func sysPackage(t *testing.T) string {
	t.Helper()
	where := runtime.FuncForPC(reflect.ValueOf(unix.Prctl).Pointer())
	file, _ := where.FileLine(where.Entry())
	if _, err := os.Stat(file); err != nil {
		t.Skip("the source of golang.org/x/sys is not on this machine:", err)
	}
	return filepath.Dir(file)
}
