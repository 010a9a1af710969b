package lessontest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// leftoverPatience is how long what a program used may still be on its way out
// after the program's end.
const leftoverPatience = 5 * time.Second

// Leftovers remembers what this machine holds, and fails the test if at its end
// something has come to stay: a mount, a cgroup, a network interface, an entry
// in the folder for temporary files, a process.
func Leftovers(t testing.TB) {
	t.Helper()
	before := inventory()
	t.Cleanup(func() {
		var left []string
		if !Eventually(leftoverPatience, func() bool {
			reap()
			left = slices.DeleteFunc(inventory(), func(thing string) bool { return slices.Contains(before, thing) })
			return len(left) == 0
		}) {
			t.Errorf("left behind:\n  %s", strings.Join(left, "\n  "))
			endProcesses(before)
		}
	})
}

// endProcesses ends the processes that were left, so that the next test does
// not stumble over them.
func endProcesses(before []string) {
	for _, p := range alive(os.Getpid()) {
		if !slices.Contains(before, p.thing()) {
			unix.Kill(p.pid, unix.SIGKILL)
		}
	}
}

// inventory lists what a program could leave behind.
func inventory() (things []string) {
	for _, line := range lines("/proc/thread-self/mountinfo") {
		things = append(things, "mount "+line)
	}
	for _, line := range lines("/proc/thread-self/net/dev") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			things = append(things, "interface "+strings.TrimSpace(name))
		}
	}
	for _, group := range Cgroups() {
		things = append(things, "cgroup "+group)
	}
	entries, _ := os.ReadDir(temporary())
	for _, entry := range entries {
		things = append(things, "temporary file "+filepath.Join(temporary(), entry.Name()))
	}
	for _, p := range descendants(os.Getpid()) {
		things = append(things, p.thing())
	}
	return things
}

// temporary is the folder that the programs under test use for temporary
// files: what is left in there was left by them.
func temporary() string {
	dir := filepath.Join(shared.dir, "tmp")
	os.Mkdir(dir, 0o777)
	os.Chmod(dir, 0o777)
	return dir
}

// Cgroups returns the folders of the cgroups that the program under test made
// (tests of others may run beside), and that no running process has to do with: neither is one in there, nor does
// the one live whose pid stands at the end of the name, unless we started it.
func Cgroups() (groups []string) {
	ours := map[string]bool{}
	for _, p := range descendants(os.Getpid()) {
		ours[itoa(p.pid)] = true
	}
	filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		lesson := strings.HasPrefix(entry.Name(), "gonsrun-step")
		if !strings.HasPrefix(entry.Name(), "gonsrun") || lesson == (filepath.Base(shared.program) == "final") {
			return nil
		}
		if strings.HasPrefix(entry.Name(), "gonsrun-test-") { // of the tests of final's package cgroup
			return nil
		}
		pid := entry.Name()[strings.LastIndex(entry.Name(), "-")+1:]
		_, err = os.Stat("/proc/" + pid)
		foreign := err == nil && !ours[pid] || len(lines(path+"/cgroup.procs")) > 0
		if !foreign {
			groups = append(groups, path)
		}
		return nil
	})
	return groups
}

// lines returns the lines of a small file, none when it cannot be read.
func lines(file string) []string {
	text, _ := os.ReadFile(file)
	if len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}
