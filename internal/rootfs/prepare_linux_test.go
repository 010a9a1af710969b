package rootfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childVariable makes the test binary call prepare once and print the note:
// a process of its own, for the tests of locks and umask.
const childVariable = "ROOTFS_TEST_FOLDER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(childVariable); folder != "" {
		_, note, err := prepare(folder, systemSearch())
		fmt.Print(note)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func systemSearch() []string { return searchPath("") }

// withoutBusybox returns a folder with links to all that is wanted on this
// machine but busybox, as the only folder to search. With -test.short they are
// the programs that the tests use: the loader is asked about each.
func withoutBusybox(t testing.TB) []string {
	t.Helper()
	wanted := programs()
	if testing.Short() {
		wanted = strings.Fields("sh ls cat id ps env true head tail wc seq grep sleep ip")
	}
	dir := t.TempDir()
	for _, p := range append(find(wanted, systemSearch(), false), find(shells, systemSearch(), false)...) {
		if err := os.Symlink(p.path, filepath.Join(dir, p.name)); err != nil {
			t.Fatal(err)
		}
	}
	return []string{dir}
}

// withBusybox returns the folders to search when the machine has a busybox.
func withBusybox(t *testing.T) []string {
	if len(find(busyboxes, systemSearch(), true)) == 0 {
		missing(t, "no busybox here (apt-get install busybox-static)")
	}
	return systemSearch()
}

// missing skips the test, but not on the machine that checks every change.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, for chroot")
	}
}

// newFolder returns a folder that does not exist yet, for a test's own root
// file systems. What is made there must be all that is there at the end.
func newFolder(t *testing.T) string {
	folder := filepath.Join(t.TempDir(), "cache", "gonsrun")
	t.Cleanup(release)
	return folder
}

func mustPrepare(t *testing.T, folder string, dirs []string) (root, note string) {
	t.Helper()
	root, note, err := prepare(folder, dirs)
	if err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return root, note
}

// inside runs a command in the root file system and returns what it printed.
func inside(t *testing.T, root string, command ...string) string {
	t.Helper()
	cmd := &exec.Cmd{
		Path:        command[0],
		Args:        command,
		Dir:         "/",
		Env:         []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm-256color"},
		SysProcAttr: &syscall.SysProcAttr{Chroot: root},
	}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("in %s: %q: %v\n%s", root, command, err, output)
	}
	return string(output)
}

// wantOnly checks that folder holds exactly these names.
func wantOnly(t *testing.T, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
	}
	if strings.Join(have, " ") != strings.Join(names, " ") {
		t.Errorf("%s holds %q, want %q", folder, have, names)
	}
}

var whole = []string{"rootfs", "rootfs.lock", "rootfs.manifest"}

// eachKind runs a test for a root file system of each kind.
func eachKind(t *testing.T, test func(t *testing.T, dirs []string)) {
	t.Run("busybox", func(t *testing.T) { test(t, withBusybox(t)) })
	t.Run("programs", func(t *testing.T) { test(t, withoutBusybox(t)) })
}

func TestMadeOnce(t *testing.T) {
	eachKind(t, func(t *testing.T, dirs []string) {
		folder := newFolder(t)
		root, note := mustPrepare(t, folder, dirs)
		if !strings.Contains(note, "was made from ") || !strings.HasSuffix(note, root) || strings.Contains(note, "\n") {
			t.Errorf("note of the first start: %q", note)
		}
		t.Log(note)
		wantOnly(t, folder, whole...)
		again, note := mustPrepare(t, folder, dirs)
		if note != "" || again != root {
			t.Errorf("second start: %q, %q; want %q and no note", again, note, root)
		}
	})
}

func TestMadeInASecond(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this machine may be an emulated one, whose speed is not meant")
	}
	eachKind(t, func(t *testing.T, dirs []string) {
		best := time.Hour // of three: the machine may be busy
		for range 3 {
			start := time.Now()
			mustPrepare(t, newFolder(t), dirs)
			best = min(best, time.Since(start))
		}
		if best > time.Second {
			t.Errorf("took %v, want less than a second", best)
		}
	})
}

func TestRunsInside(t *testing.T) {
	needRoot(t)
	eachKind(t, func(t *testing.T, dirs []string) {
		root, _ := mustPrepare(t, newFolder(t), dirs)
		listing := strings.Fields(inside(t, root, "/bin/sh", "-c", "ls /"))
		for _, name := range []string{"bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"} {
			if !slices.Contains(listing, name) {
				t.Errorf("ls / shows %q, without %s", listing, name)
			}
		}
		for command, want := range map[string]string{
			"id":                                "uid=0(root) gid=0(root)",
			"type ps":                           "ps is ",
			"echo hi | cat | wc -c":             "3",
			"echo hi > /dev/null && echo $?":    "0",
			"head -c 3 /dev/zero | wc -c":       "3",
			"/usr/bin/env true; echo $?":        "0",
			"/sbin/ip link":                     "lo",
			"ls -ld /tmp":                       "drwxrwxrwt",
			"ls -ld /root":                      "drwx------",
			"sh -c 'sleep 0; seq 3 | tail -n1'": "3",
			"grep -c . /etc/nsswitch.conf":      "3",
		} {
			if got := inside(t, root, "/bin/sh", "-c", command); !strings.Contains(strings.ToLower(got), want) {
				t.Errorf("%s: %q, want %q in it", command, got, want)
			}
		}
		if find(shells, systemSearch(), false) != nil {
			if got := inside(t, root, "/bin/bash", "-c", "echo $BASH_VERSION"); len(got) < 4 {
				t.Errorf("bash says its version is %q", got)
			}
		}
	})
}

// TestEveryProgramLoads starts each program of a root file system made without
// busybox: its loader must find every library in there.
func TestEveryProgramLoads(t *testing.T) {
	needRoot(t)
	root, _ := mustPrepare(t, newFolder(t), withoutBusybox(t))
	entries, err := os.ReadDir(filepath.Join(root, "bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		loader, err := interpreter(filepath.Join(root, "bin", e.Name()))
		if err != nil {
			t.Error(err)
		}
		if loader == "" {
			continue
		}
		if list := inside(t, root, loader, "--list", "/bin/"+e.Name()); strings.Contains(list, "not found") {
			t.Errorf("%s: %s", e.Name(), list)
		}
	}
	t.Logf("%d programs", len(entries))
}

func TestNothingIsTheHosts(t *testing.T) {
	eachKind(t, func(t *testing.T, dirs []string) {
		root, _ := mustPrepare(t, newFolder(t), dirs)
		err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
			if err != nil {
				return err
			}
			st := info.Sys().(*syscall.Stat_t)
			if info.Mode().IsRegular() && st.Nlink != 1 {
				t.Errorf("%s has %d links: a write to it may reach the host", path, st.Nlink)
			}
			if int(st.Uid) != os.Geteuid() || info.Mode()&(os.ModeSetuid|os.ModeSetgid) != 0 {
				t.Errorf("%s: owner %d, mode %v", path, st.Uid, info.Mode())
			}
			if target, err := os.Readlink(path); err == nil {
				if _, err := os.Stat(path); err != nil || filepath.IsAbs(target) {
					t.Errorf("%s -> %s leads nowhere, or out", path, target)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestMadeAnewWhenDamaged(t *testing.T) {
	folder, dirs := newFolder(t), withBusybox(t)
	root, _ := mustPrepare(t, folder, dirs)
	for name, damage := range map[string]string{
		"shell unlinked":   "rm bin/sh",
		"program removed":  "rm bin/busybox",
		"applet removed":   "rm bin/ls",
		"applet replaced":  "ln -sf true bin/ls",
		"program emptied":  "> bin/busybox",
		"program modified": "printf x | dd of=bin/busybox conv=notrunc 2>/dev/null",
		"no longer runs":   "chmod -x bin/busybox",
		"folder removed":   "rmdir proc",
		"file for folder":  "rmdir tmp; > tmp",
		"folder locked":    "chmod 000 bin",
		"passwd emptied":   "> etc/passwd",
		"all removed":      "rm -rf *",
		"root removed":     "rm -rf ../rootfs",
		"root is a file":   "rm -rf ../rootfs; > ../rootfs",
		"manifest removed": "rm ../rootfs.manifest",
		"manifest damaged": "sed -i 's/\t0/\tzero/' ../rootfs.manifest",
		"another recipe":   "sed -i '1s/$/0/' ../rootfs.manifest",
	} {
		t.Run(name, func(t *testing.T) {
			if name == "folder locked" && os.Geteuid() == 0 {
				t.Skip("root may do everything")
			}
			shell(t, root, damage)
			_, note := mustPrepare(t, folder, dirs)
			if note == "" {
				t.Fatalf("%s was not noticed", damage)
			}
			t.Log(note)
			wantOnly(t, folder, whole...)
			if _, note = mustPrepare(t, folder, dirs); note != "" {
				t.Errorf("made a third time: %s", note)
			}
		})
	}
}

// TestAdditionsStay: a reader's own files and settings are no damage.
func TestAdditionsStay(t *testing.T) {
	folder, dirs := newFolder(t), withBusybox(t)
	root, _ := mustPrepare(t, folder, dirs)
	shell(t, root, "echo mine > root/mine; mkdir opt; echo 10.0.0.1 web >> etc/hosts; touch bin tmp")
	if _, note := mustPrepare(t, folder, dirs); note != "" {
		t.Errorf("additions were taken for damage: %s", note)
	}
}

func TestMadeAnewWhenSourceChanges(t *testing.T) {
	original := find(busyboxes, withBusybox(t), true)[0].path
	for name, c := range map[string]struct{ change, reason string }{
		"touched":   {"touch -d '2001-01-01' busybox", "/busybox has changed"},
		"gone":      {"rm busybox", "/busybox is no longer"},
		"bash gone": {"rm bash", "/bash is no longer"},
		"a better":  {"cp busybox busybox.static", "/busybox.static is new"},
		"no change": {"> something-else", ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder, machine := newFolder(t), t.TempDir()
			shell(t, machine, "cp -p '"+original+"' busybox && cp -p \"$(command -v bash || echo /bin/sh)\" bash && cp -p /bin/sh /bin/ls .")
			mustPrepare(t, folder, []string{machine})
			shell(t, machine, c.change)
			root, note := mustPrepare(t, folder, []string{machine})
			if c.reason == "" && note != "" || !strings.Contains(note, c.reason) {
				t.Errorf("%s: %q, want %q in it", c.change, note, c.reason)
			}
			if _, err := os.Stat(filepath.Join(root, "bin/bash")); (err == nil) == (name == "bash gone") {
				t.Errorf("bash in the root file system: %v", err)
			}
			wantOnly(t, folder, whole...)
		})
	}
}

// TestBusyboxAppears: a machine without busybox gets one.
func TestBusyboxAppears(t *testing.T) {
	original := find(busyboxes, withBusybox(t), true)[0].path
	folder, dirs := newFolder(t), withoutBusybox(t)
	mustPrepare(t, folder, dirs)
	if err := os.Symlink(original, filepath.Join(dirs[0], "busybox")); err != nil {
		t.Fatal(err)
	}
	if _, note := mustPrepare(t, folder, dirs); !strings.Contains(note, "busybox is new on this machine") {
		t.Errorf("note %q", note)
	}
}

// TestUnusableBusybox: scripts and what has no applets are passed over.
func TestUnusableBusybox(t *testing.T) {
	dirs := withoutBusybox(t)
	shell(t, dirs[0], "printf '#!/bin/sh\\necho sh\\n' > busybox; chmod +x busybox; cp \"$(readlink -f /bin/echo)\" busybox.static")
	root, note := mustPrepare(t, newFolder(t), dirs)
	if !strings.Contains(note, "of this machine's programs") {
		t.Errorf("note %q", note)
	}
	if _, err := os.Lstat(filepath.Join(root, "bin/busybox")); err == nil {
		t.Error("the script was installed as busybox")
	}
}

func TestNoShell(t *testing.T) {
	folder := newFolder(t)
	_, _, err := prepare(folder, []string{t.TempDir()})
	if !errors.Is(err, errNoShell) || !strings.Contains(err.Error(), "apt-get install busybox-static") {
		t.Errorf("error: %v", err)
	}
	wantOnly(t, folder, "rootfs.lock")
}

func TestConcurrentGoroutines(t *testing.T) {
	folder, dirs := newFolder(t), systemSearch()
	var made atomic.Int32
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			_, note, err := prepare(folder, dirs)
			if err != nil {
				t.Error(err)
			}
			if note != "" {
				made.Add(1)
			}
		}()
	}
	group.Wait()
	if count := made.Load(); count != 1 {
		t.Errorf("made %d times, want once", count)
	}
	wantOnly(t, folder, whole...)
}

func TestConcurrentProcesses(t *testing.T) {
	folder := newFolder(t)
	children := make([]*exec.Cmd, 8)
	outputs := make([]bytes.Buffer, len(children))
	for i := range children {
		children[i] = exec.Command("/proc/self/exe")
		children[i].Env = append(os.Environ(), childVariable+"="+folder)
		children[i].Stdout, children[i].Stderr = &outputs[i], os.Stderr
		if err := children[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	notes := 0
	for i, child := range children {
		if err := child.Wait(); err != nil {
			t.Error(err)
		}
		if outputs[i].Len() > 0 {
			notes++
		}
	}
	if notes != 1 {
		t.Errorf("made %d times, want once", notes)
	}
	wantOnly(t, folder, whole...)
}

// TestKilledInTheMiddle: what a killed build left is removed by the next one.
func TestKilledInTheMiddle(t *testing.T) {
	folder, dirs := newFolder(t), systemSearch()
	stale := filepath.Join(folder, "rootfs.tmp-123", "bin")
	if err := os.MkdirAll(stale, 0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, stale, "> sh; chmod 500 .; > ../../rootfs.tmp-123.manifest; mkdir ../../rootfs")
	mustPrepare(t, folder, dirs)
	wantOnly(t, folder, whole...)
}

// TestInUse: one that a container may still live in is not removed under it.
func TestInUse(t *testing.T) {
	folder, dirs := newFolder(t), withBusybox(t)
	root, _ := mustPrepare(t, folder, dirs)
	user, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer user.Close()
	if err := unix.Flock(int(user.Fd()), unix.LOCK_SH); err != nil { // as another process would
		t.Fatal(err)
	}
	shell(t, root, "rm bin/ls")
	mustPrepare(t, folder, dirs)
	var st unix.Stat_t
	if err := unix.Fstatat(int(user.Fd()), "bin/busybox", &st, 0); err != nil {
		t.Errorf("the user of the old root file system has lost its programs: %v", err)
	}
	user.Close()
	shell(t, root, "rm bin/ls")
	mustPrepare(t, folder, dirs)
	wantOnly(t, folder, whole...)
}

// TestHeld: prepare marks what it returns as in use, made or found.
func TestHeld(t *testing.T) {
	folder, dirs := newFolder(t), systemSearch()
	for range 2 {
		root, _ := mustPrepare(t, folder, dirs)
		if !inUse(root) {
			t.Error("the root file system is not held")
		}
		release()
		if inUse(root) {
			t.Error("the root file system is held after release")
		}
	}
}

func TestMountedInside(t *testing.T) {
	needRoot(t)
	folder, dirs := newFolder(t), withBusybox(t)
	root, _ := mustPrepare(t, folder, dirs)
	point := filepath.Join(root, "mnt")
	if err := unix.Mount("none", point, "tmpfs", 0, ""); err != nil {
		missing(t, fmt.Sprintf("cannot mount a tmpfs: %v", err))
	}
	mounted := true
	unmount := func() {
		if mounted {
			if err := unix.Unmount(point, 0); err != nil {
				t.Fatal(err)
			}
			mounted = false
		}
	}
	defer unmount()
	if _, note := mustPrepare(t, folder, dirs); note != "" {
		t.Errorf("a mount alone is no reason to make it anew: %s", note)
	}
	shell(t, root, "rm bin/ls; echo precious > mnt/file")
	_, _, err := prepare(folder, dirs)
	if err == nil || !strings.Contains(err.Error(), "sudo umount '"+point+"'") {
		t.Errorf("error %v, want the line to type", err)
	}
	if _, err := os.Stat(point + "/file"); err != nil {
		t.Errorf("what is mounted was touched: %v", err)
	}
	unmount()
	if _, note := mustPrepare(t, folder, dirs); note == "" {
		t.Error("not made anew after the unmount")
	}
	wantOnly(t, folder, whole...)
}

// TestUmask: modes do not depend on who calls.
func TestUmask(t *testing.T) {
	folder := newFolder(t)
	child := exec.Command("/bin/sh", "-c", "umask 077; exec /proc/$PPID/exe")
	child.Env = append(os.Environ(), childVariable+"="+folder)
	if output, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for name, want := range map[string]os.FileMode{"": 0o755, "bin": 0o755, "bin/sh": 0o755, "etc/passwd": 0o644, "tmp": 0o777} {
		info, err := os.Stat(filepath.Join(folder, "rootfs", name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("/%s has mode %v, want %v", name, info.Mode().Perm(), want)
		}
	}
}

func BenchmarkWarm(b *testing.B) {
	for _, kind := range []string{"busybox", "programs"} {
		b.Run(kind, func(b *testing.B) {
			dirs := searchPath(os.Getenv("PATH"))
			if kind == "programs" {
				dirs = withoutBusybox(b)
			}
			folder := filepath.Join(b.TempDir(), "gonsrun")
			if _, _, err := prepare(folder, dirs); err != nil {
				b.Fatal(err)
			}
			defer release()
			for b.Loop() {
				if _, note, err := prepare(folder, dirs); note != "" || err != nil {
					b.Fatal(note, err)
				}
			}
		})
	}
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = dir
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, output)
	}
}
