package proc

import (
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A loop has used as much as the kernel says through getrusage(2), whatever its name.
func TestUsed(t *testing.T) {
	comm, _ := os.ReadFile("/proc/self/comm")
	os.WriteFile("/proc/self/comm", []byte(") 1 (2 3"), 0)
	defer os.WriteFile("/proc/self/comm", comm, 0)
	sum := func() time.Duration {
		var usage unix.Rusage
		unix.Getrusage(unix.RUSAGE_SELF, &usage)
		return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	begin := Used(os.Getpid())
	for start := sum(); sum()-start < 100*time.Millisecond; {
	}
	if used, want := Used(os.Getpid()), sum(); used-begin < 50*time.Millisecond || (used-want).Abs() > 50*time.Millisecond {
		t.Errorf("this process has used %v, now %v, expected %v", begin, used, want)
	}
	if used := Used(0); used != 0 {
		t.Errorf("a process that is not there has used %v", used)
	}
}

func TestStatusField(t *testing.T) {
	if pid := StatusField("self", "Pid"); pid != strconv.Itoa(os.Getpid()) {
		t.Errorf("Pid of self is %q, expected %d", pid, os.Getpid())
	}
	for _, field := range []string{"Pi", "NoSuchField"} {
		if value := StatusField("self", field); value != "" {
			t.Errorf("the field %s is %q, expected nothing", field, value)
		}
	}
}
