package trace

import (
	"os"
	"reflect"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a call is about stands in its fields.
func TestFields(t *testing.T) {
	dir := t.TempDir()
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	fd := uintptr(folder.Fd())
	type fields struct {
		Path, Source, Kind, Value string
		Data                      string
		Caps                      *Capabilities
		Length                    int
	}
	for _, test := range []struct {
		name string
		args vector
		want fields
	}{
		{"mount", vector{"proc", "/p", "proc", 0, "hidepid=2"}, fields{Path: "/p", Source: "proc", Kind: "proc", Value: "hidepid=2"}},
		{"mount", vector{"/a", "/b", "x", unix.MS_BIND, "y"}, fields{Path: "/b", Source: "/a"}},
		{"mount", vector{"", "/b", 0, unix.MS_REMOUNT, "size=1"}, fields{Path: "/b", Value: "size=1"}},
		{"pivot_root", vector{"/new", "/new/old"}, fields{Path: "/new"}},
		{"symlinkat", vector{"/proc/self/fd", here, "/dev/fd"}, fields{Path: "/dev/fd", Source: "/proc/self/fd"}},
		{"mknodat", vector{here, "/dev/null", unix.S_IFCHR, 0x103}, fields{Path: "/dev/null"}},
		{"openat", vector{here, "/x", 0, 0}, fields{Path: "/x"}},
		{"fchdir", vector{fd}, fields{Path: dir}},
		{"pwrite64", vector{fd, "text", 4, 0}, fields{Path: dir, Data: "text"}},
		{"open_tree", vector{here, "/x", 0}, fields{Path: "/x"}},
		{"move_mount", vector{fd, "", here, "/to", unix.MOVE_MOUNT_F_EMPTY_PATH}, fields{Path: "/to"}},
		{"move_mount", vector{here, "/from", fd, "", unix.MOVE_MOUNT_T_EMPTY_PATH}, fields{Path: dir, Source: "/from"}},
		{"fsopen", vector{"tmpfs", 0}, fields{Kind: "tmpfs"}},
		{"fsconfig", vector{fd, unix.FSCONFIG_SET_STRING, "size", "64k", 0}, fields{Kind: "size", Value: "64k"}},
		{"fsconfig", vector{fd, unix.FSCONFIG_CMD_CREATE, "size", "64k", 0}, fields{}},
		{"mount_setattr", vector{here, "/x", 0, numbers64(1, 0, 0, 0), 32}, fields{Path: "/x"}},
		{"prctl", vector{unix.PR_SET_NAME, "name"}, fields{Value: "name"}},
		{"keyctl", vector{unix.KEYCTL_JOIN_SESSION_KEYRING, "_ses"}, fields{Value: "_ses"}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 0), words(1, 2, 4, 8, 16, 32)}, fields{Caps: &Capabilities{1 | 8<<32, 2 | 16<<32, 4 | 32<<32}}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_1, 0), words(1, 2, 4, 8, 16, 32)}, fields{Caps: &Capabilities{1, 2, 4}}},
		{"capset", vector{words(unix.LINUX_CAPABILITY_VERSION_3, 0), bad}, fields{}},
		{"seccomp", vector{unix.SECCOMP_SET_MODE_FILTER, 0, vector{7, bad}}, fields{Length: 7}},
		{"prctl", vector{unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, vector{9, bad}}, fields{Length: 9}},
		{"bpf", vector{unix.BPF_PROG_LOAD, vector{15 | 20<<32, bad, 0}, 24}, fields{Kind: "BPF_PROG_TYPE_CGROUP_DEVICE", Length: 20}},
		{"bpf", vector{unix.BPF_PROG_ATTACH, words(uint32(fd), 0, 6, 0), 16}, fields{Kind: "BPF_CGROUP_DEVICE", Path: dir}},
		{"ioctl", vector{fd, unix.TIOCSCTTY, 1}, fields{Path: dir, Kind: "TIOCSCTTY"}},
		{"ioctl", vector{fd, unix.SIOCSIFFLAGS, interfaceRequest("lo", unix.IFF_UP)}, fields{Path: dir, Kind: "SIOCSIFFLAGS", Value: "lo"}},
		{"fchown", vector{fd, 0, 0}, fields{Path: dir}},
		{"execveat", vector{fd, "x", vector{"a"}, 0, 0}, fields{Path: "x"}},
	} {
		values, keep := pointers(test.args)
		var arguments []uint64
		for _, v := range values {
			arguments = append(arguments, uint64(v))
		}
		c := self(uint64(numberOf(test.name)), arguments...)
		c.Read()
		runtime.KeepAlive(keep)
		got := fields{c.Path, c.Source, c.Kind, c.Value, string(c.Data), c.Caps, c.Length}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s:\n %+v\nexpected\n %+v", c.Text(), got, test.want)
		}
	}
}

// pointers puts arguments into memory. keep must live as long as they are used.
func pointers(args vector) (values [6]uintptr, keep []any) {
	var pointer func(v any) uintptr
	pointer = func(v any) uintptr {
		switch v := v.(type) {
		case int:
			return uintptr(v)
		case uintptr:
			return v
		case string:
			b := append([]byte(v), 0)
			keep = append(keep, b)
			return uintptr(unsafe.Pointer(&b[0]))
		case []byte:
			keep = append(keep, v)
			return uintptr(unsafe.Pointer(&v[0]))
		case vector:
			words := make([]uintptr, len(v)+1)
			for i := range v {
				words[i] = pointer(v[i])
			}
			keep = append(keep, words)
			return uintptr(unsafe.Pointer(&words[0]))
		}
		panic(v)
	}
	for i, arg := range args {
		values[i] = pointer(arg)
	}
	return values, keep
}

// A capability's number has the name that strace prints for it, see privilegeCalls;
// a number without a name stays one.
func TestCapabilityName(t *testing.T) {
	for n, want := range map[int]string{unix.CAP_CHOWN: "CAP_CHOWN", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN", unix.CAP_LAST_CAP: "CAP_CHECKPOINT_RESTORE",
		unix.CAP_LAST_CAP + 1: "0x29", 63: "0x3f", -1: "0xffffffffffffffff", 1 << 40: "0x10000000000"} {
		if got := CapabilityName(n); got != want {
			t.Errorf("capability %d is %s, expected %s", n, got, want)
		}
	}
}
