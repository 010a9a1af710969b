//go:build linux

package mounts

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary started again, in a mount namespace of its own, is the
// container's side: it plays one of these parts in a folder, and says on
// stderr what is wrong.
var parts = map[string]func(dir string) error{
	"mask":     maskPart,
	"readonly": readOnlyPart,
	"in":       inPart,
	"magic":    magicPart,
	"overlay":  overlayPart,
	"pivot":    pivotPart,
	"chroot":   chrootPart,
}

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && parts[os.Args[1]] != nil {
		err := Private()
		if err == nil {
			err = parts[os.Args[1]](os.Args[2])
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play plays a part in dir, and expects it to find nothing wrong. The mounts
// that it makes end with it.
func play(t *testing.T, part, dir string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root: go test -exec sudo ./final/internal/mounts")
	}
	before, _ := os.ReadFile("/proc/self/mountinfo")
	again := exec.Command("/proc/self/exe", part, dir)
	again.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread() // the death signal is tied to the thread
	defer runtime.UnlockOSThread()
	if output, err := again.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(after), dir) {
		t.Errorf("a mount has reached the host's mount table:\n%s\nIt was:\n%s", after, before)
	}
}

// folder makes a folder with these files in it: "name/" is a folder, "name" a
// file, "name→target" a symbolic link.
func folder(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	for _, name := range names {
		if err != nil {
			t.Fatal(err)
		}
		link, target, isLink := strings.Cut(name, "→")
		switch path := filepath.Join(dir, link); {
		case isLink:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o755)
		default:
			err = os.WriteFile(path, []byte("content\n"), 0o644)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// No symbolic link leads out of the root.
func TestResolve(t *testing.T) {
	outside := folder(t, "sub/", "file")
	root := folder(t, "etc/", "dir/sub/", "file",
		"absolute→"+outside, "dots→../../../../../../../.."+outside, "dir/up→..", "inner→/dir/sub", "self→self",
		"top→/", "link→file", "magic→/proc/self/root", "cwd→/proc/self/cwd", "dangling→/nowhere")
	for _, test := range []struct {
		destination string
		file        bool
		want        string // "" for an error
	}{
		{"/", false, "/"},
		{"/dir", false, "/dir"},
		{"dir/sub", false, "/dir/sub"},
		{"/dir/../../../dir/./sub/", false, "/dir/sub"},
		{"/../../..", false, "/"},
		{"/inner", false, "/dir/sub"},
		{"/dir/up/dir/up", false, "/"},
		{"/top/top/../etc", false, "/etc"},
		{"/link", true, "/file"},
		{"/new", false, "/new"},
		{"/new/er/est", false, "/new/er/est"},
		{"/inner/made", false, "/dir/sub/made"},
		{"/made-file", true, "/made-file"},
		{"/dir/up/deep/er/file", true, "/deep/er/file"},
		{"/absolute", false, ""}, // dangling in here, whatever is there outside
		{"/absolute/sub", false, ""},
		{"/absolute/file", true, ""},
		{"/absolute/new", true, ""},
		{"/dots", false, ""},
		{"/dots/new", false, ""},
		{"/magic", false, ""},
		{"/magic/etc/new", true, ""},
		{"/cwd/new", false, ""},
		{"/dangling", true, ""},
		{"/self", false, ""},
		{"/file/new", false, ""},
	} {
		path, err := resolve(root, test.destination, test.file)
		if test.want == "" {
			if err == nil {
				t.Errorf("resolve %s: %s, expected an error", test.destination, path)
			}
			continue
		}
		if want := filepath.Join(root, test.want); path != want || err != nil {
			t.Errorf("resolve %s: %q, %v; expected %q", test.destination, path, err, want)
		}
		if info, err := os.Lstat(path); err != nil || info.IsDir() == test.file {
			t.Errorf("resolve %s: at %s there is %v, %v", test.destination, path, info, err)
		}
	}
	for _, dir := range []string{outside, outside + "/sub"} {
		if entries, _ := os.ReadDir(dir); len(entries) != map[bool]int{true: 2}[dir == outside] {
			t.Errorf("outside of the root, %s has %v now", dir, entries)
		}
	}
	if _, err := resolve(root+"/nowhere", "/", false); !errors.Is(err, unix.ENOENT) {
		t.Errorf("resolve below a root that is not there: %v", err)
	}
}

// The links of a real /proc lead nowhere either: they could leave the root
// without a path.
func TestResolveMagicLinks(t *testing.T) {
	play(t, "magic", folder(t, "proc/", "magic→/proc/1/root"))
}

func magicPart(root string) error {
	if err := In(root, Mount{Destination: "/proc", Type: "proc", Source: "proc"}); err != nil {
		return err
	}
	for _, destination := range []string{"/magic/tmp", "/proc/1/root/tmp", "/proc/self/cwd"} {
		if path, err := resolve(root, destination, false); err == nil {
			return fmt.Errorf("resolve %s: %s, expected an error", destination, path)
		}
	}
	return nil
}

// Files in the root are written and read as the container sees them.
func TestFiles(t *testing.T) {
	outside := folder(t, "file")
	root := folder(t, "etc/", "etc/hosts→"+outside+"/file", "etc/inner→/etc/passwd", "etc/passwd", "out→"+outside)
	if text := ReadFile(root, "/etc/inner"); text != "content\n" {
		t.Errorf("through a link inside the root: %q", text)
	}
	for _, path := range []string{"/etc/hosts", "/out/file", "/etc", "/missing"} {
		if text := ReadFile(root, path); text != "" {
			t.Errorf("ReadFile %s: %q", path, text)
		}
	}
	if err := WriteFile(root, "/etc/hosts", "mine\n"); err != nil {
		t.Error(err)
	}
	if err := WriteFile(root, "/new/folder/file", "mine\n"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"/etc/hosts", "/new/folder/file"} {
		if text := ReadFile(root, path); text != "mine\n" {
			t.Errorf("%s: %q", path, text)
		}
	}
	if text, _ := os.ReadFile(outside + "/file"); string(text) != "content\n" {
		t.Errorf("a file outside of the root was written to: %q", text)
	}
	if err := WriteFile(root, "/out/file", "mine\n"); err == nil {
		t.Error("a file was written through a link that leads out")
	}
	if err := Symlink(root, "pts/ptmx", "/dev/ptmx"); err != nil {
		t.Error(err)
	}
	if target, err := os.Readlink(root + "/dev/ptmx"); target != "pts/ptmx" {
		t.Errorf("/dev/ptmx → %q, %v", target, err)
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		options string
		bits    uintptr
		data    string
	}{
		{"", 0, ""},
		{"rw", 0, ""},
		{"ro,nosuid,nodev,noexec", unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC, ""},
		{"bind", unix.MS_BIND, ""},
		{"rbind,ro", unix.MS_BIND | unix.MS_REC | unix.MS_RDONLY, ""},
		{"nosuid,mode=755,strictatime,size=64k", unix.MS_NOSUID | unix.MS_STRICTATIME, "mode=755,size=64k"},
		{"newinstance,ptmxmode=0666", 0, "newinstance,ptmxmode=0666"},
		{"rorwro", 0, "rorwro"},
	} {
		var options []string
		if test.options != "" {
			options = strings.Split(test.options, ",")
		}
		if bits, data := parse(options); bits != test.bits || data != test.data {
			t.Errorf("parse %q: %#x, %q; expected %#x, %q", test.options, bits, data, test.bits, test.data)
		}
	}
}

// A file is hidden behind /dev/null, a folder behind an empty one.
func TestMask(t *testing.T) {
	play(t, "mask", folder(t, "file", "dir/", "dir/file"))
}

func maskPart(dir string) error {
	if err := Mask([]string{dir + "/file", dir + "/dir", dir + "/missing"}); err != nil {
		return err
	}
	if text, err := os.ReadFile(dir + "/file"); err != nil || len(text) > 0 {
		return fmt.Errorf("the masked file: %q, %v", text, err)
	}
	if entries, err := os.ReadDir(dir + "/dir"); err != nil || len(entries) > 0 {
		return fmt.Errorf("the masked folder: %v, %v", entries, err)
	}
	if err := os.WriteFile(dir+"/dir/new", nil, 0o644); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("a write into the masked folder: %v, expected EROFS", err)
	}
	return nil
}

// What is made read-only can be read, and keeps its other flags.
func TestReadOnly(t *testing.T) {
	play(t, "readonly", folder(t, "file", "dir/", "dir/file", "beside"))
}

func readOnlyPart(dir string) error {
	if err := unix.Mount("tmpfs", dir+"/dir", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := os.WriteFile(dir+"/dir/file", []byte("content\n"), 0o644); err != nil {
		return err
	}
	if err := ReadOnly([]string{dir + "/file", dir + "/dir", dir + "/missing"}); err != nil {
		return err
	}
	for _, file := range []string{"/file", "/dir/file", "/dir/new"} {
		if err := os.WriteFile(dir+file, nil, 0o644); !errors.Is(err, unix.EROFS) {
			return fmt.Errorf("a write to %s: %v, expected EROFS", file, err)
		}
	}
	if text, err := os.ReadFile(dir + "/dir/file"); string(text) != "content\n" {
		return fmt.Errorf("what is read-only reads as %q, %v", text, err)
	}
	const kept = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if bits := lockedFlags(dir + "/dir"); bits&kept != kept {
		return fmt.Errorf("the flags of what is read-only are %#x, without one of %#x", bits, kept)
	}
	return os.WriteFile(dir+"/beside", nil, 0o644)
}

// A mount lands inside the root, with its options, and its destination is made.
func TestIn(t *testing.T) {
	dir := folder(t, "source/", "source/file", "outside/", "root/dir/", "root/inner→/dir")
	if err := os.Symlink(dir+"/outside", dir+"/root/out"); err != nil {
		t.Fatal(err)
	}
	play(t, "in", dir)
}

func inPart(dir string) error {
	root, source := dir+"/root", dir+"/source"
	for _, m := range []Mount{
		{Destination: "/inner/bound", Source: source, Options: []string{"rbind", "nosuid", "nodev", "ro"}},
		{Destination: "/made/file", Source: source + "/file", Options: []string{"bind"}},
		{Destination: "/memory", Type: "tmpfs", Source: "tmpfs", Options: []string{"noexec", "mode=711"}},
	} {
		if err := In(root, m); err != nil {
			return err
		}
	}
	if err := os.WriteFile(root+"/dir/bound/new", nil, 0o644); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("a write into the read-only volume: %v, expected EROFS", err)
	}
	if bits := lockedFlags(root + "/dir/bound"); bits&(unix.MS_NOSUID|unix.MS_NODEV) != unix.MS_NOSUID|unix.MS_NODEV {
		return fmt.Errorf("the flags of the volume are %#x", bits)
	}
	if err := os.WriteFile(root+"/made/file", []byte("through\n"), 0o644); err != nil {
		return err
	}
	if text, _ := os.ReadFile(source + "/file"); string(text) != "through\n" {
		return fmt.Errorf("what was written through the bound file is %q", text)
	}
	if info, err := os.Stat(root + "/memory"); err != nil || info.Mode().Perm() != 0o711 {
		return fmt.Errorf("the tmpfs is %v, %v", info, err)
	}
	if err := In(root, Mount{Destination: "/out/mnt", Type: "tmpfs", Source: "tmpfs"}); err == nil {
		return errors.New("a mount was made through a link that leads out")
	}
	if entries, _ := os.ReadDir(dir + "/outside"); len(entries) > 0 {
		return fmt.Errorf("a mount has reached the outside: %v", entries)
	}
	return nil
}

// The folder below an overlay is never written to, whatever it is called.
func TestOverlay(t *testing.T) {
	if filesystems, _ := os.ReadFile("/proc/filesystems"); !strings.Contains(string(filesystems), "\toverlay\n") {
		t.Skip("this kernel has no overlay")
	}
	dir := folder(t, `low:er,\/`, `low:er,\/file`, "layers/", "root/")
	play(t, "overlay", dir)
	if text, _ := os.ReadFile(dir + `/low:er,\/file`); string(text) != "content\n" {
		t.Errorf("the folder below was written to: %q", text)
	}
	if entries, _ := os.ReadDir(dir + "/layers"); len(entries) > 0 {
		t.Errorf("what was to be in memory is on disk: %v", entries)
	}
}

func overlayPart(dir string) error {
	if err := Overlay(dir+`/low:er,\`, dir+"/layers", dir+"/root", true); err != nil {
		return err
	}
	if text, err := os.ReadFile(dir + "/root/file"); string(text) != "content\n" {
		return fmt.Errorf("a file of the folder below reads as %q, %v", text, err)
	}
	if err := os.WriteFile(dir+"/root/file", []byte("changed\n"), 0o644); err != nil {
		return err
	}
	if bits := lockedFlags(dir + "/root"); bits&unix.MS_NODEV == 0 {
		return errors.New("device nodes can be opened on the overlay")
	}
	return nil
}

// After pivot_root there is one root, and no way up from it.
func TestPivot(t *testing.T) { play(t, "pivot", folder(t, "root/inside/", "root/proc/", "outside")) }

func pivotPart(dir string) error {
	root := dir + "/root"
	if err := Bind(root, root); err != nil {
		return err
	}
	if err := In(root, Mount{Destination: "/proc", Type: "proc", Source: "proc"}); err != nil {
		return err
	}
	if err := Pivot(root); err != nil {
		return err
	}
	if wd, err := os.Getwd(); wd != "/" {
		return fmt.Errorf("the working directory is %q, %v", wd, err)
	}
	if err := os.Mkdir("/new", 0o755); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("a write to a root without an overlay: %v, expected EROFS", err)
	}
	table, err := os.ReadFile("/proc/self/mountinfo")
	if n := strings.Count(string(table), "\n"); n != 2 {
		return fmt.Errorf("%d mounts are left, expected the root and /proc: %v\n%s", n, err, table)
	}
	return climb("/inside", dir+"/outside", false)
}

// In a chroot root can climb out: that is why there is Pivot.
func TestChroot(t *testing.T) { play(t, "chroot", folder(t, "root/inside/", "outside")) }

func chrootPart(dir string) error {
	if err := Chroot(dir + "/root"); err != nil {
		return err
	}
	return climb("/inside", dir+"/outside", true)
}

// climb goes up from below a second chroot, and looks whether file is there.
func climb(below, file string, want bool) error {
	if err := unix.Chroot(below); err != nil {
		return err
	}
	for range 64 {
		unix.Chdir("..")
	}
	if err := unix.Chroot("."); err != nil {
		return err
	}
	if err := unix.Access(file, unix.F_OK); (err == nil) != want {
		return fmt.Errorf("the host's file from inside: %v", err)
	}
	return nil
}

// An error names what was to be mounted, where, how, and why the kernel refused.
func TestMountError(t *testing.T) {
	err := mount("tmpfs", "/no/such/folder", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m")
	var path *os.PathError
	if !errors.As(err, &path) || path.Op != "mount" {
		t.Fatalf("%v is no error of mount", err)
	}
	const want = `mount tmpfs on /no/such/folder, MS_NOSUID|MS_NODEV, "size=1m": `
	if text := err.Error(); !strings.HasPrefix(text, want) || text == want {
		t.Errorf("the error is %q, expected %q and the errno", text, want)
	}
}
