//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"gonsrun/internal/lessontest"
)

// The tests of this package type what a reader would type, and look at what
// comes out and at what the kernel then has. Each mechanism has tests of its
// own, in its folder.
var lesson = lessontest.Lesson{Number: 7, Name: "final"}

func TestMain(m *testing.M) {
	// lessontest starts this program again in namespaces of its own.
	if os.Geteuid() == 0 && os.Getenv("LESSONTEST_SCRATCH") != "" {
		if err := lessontest.OwnMachine(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	lesson.Main(m, "step04-chroot", "final/internal/escape")
}

// asRoot is for a test that needs root. Nothing may be left behind by it.
func asRoot(t *testing.T) {
	t.Helper()
	lessontest.NeedRoot(t)
	nothingLeft(t)
}

// nothingLeft fails the test if a container's folder, the bridge's addresses or
// rules of the firewall stay behind, or anything that lessontest.Leftovers knows.
func nothingLeft(t *testing.T) {
	t.Helper()
	lessontest.Leftovers(t)
	if os.Geteuid() != 0 {
		return
	}
	t.Cleanup(func() {
		if _, err := os.Stat("/run/gonsrun"); err == nil {
			t.Errorf("/run/gonsrun is left behind, with the containers %v", folders("/run/gonsrun"))
		}
		if nft, err := exec.LookPath("nft"); err == nil {
			if rules, _ := exec.Command(nft, "list", "tables").Output(); len(rules) > 0 {
				t.Errorf("tables of the firewall are left behind: %s", rules)
			}
		}
	})
}

// folders lists the folders in dir.
func folders(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names
}

// ordinaryUser is who types as an ordinary user, with nothing of their own yet
// but a root file system.
func ordinaryUser(t *testing.T) lessontest.Lesson {
	t.Helper()
	user := lesson.AsOrdinaryUser(t)
	runtime := t.TempDir()
	if os.Geteuid() == 0 {
		os.Chown(runtime, 65534, 65534)
		os.Chmod(filepath.Dir(runtime), 0o755)
	}
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	user.Type(t, "-quiet", "run", "true").Exits(0)
	t.Cleanup(func() {
		if left := folders(runtime + "/gonsrun"); len(left) > 0 {
			t.Errorf("folders of the user's containers are left behind: %v", left)
		}
	})
	return user
}

// detached starts a container in the background, has it removed at the end of
// the test, and returns its id.
func detached(t *testing.T, who lessontest.Lesson, args ...string) string {
	t.Helper()
	result := who.Type(t, append([]string{"-quiet", "run", "-d"}, args...)...).Exits(0).PrintsMatch(`^[0-9a-f]{12}\n$`)
	id := strings.TrimSpace(result.Stdout)
	if id != "" {
		t.Cleanup(func() { who.Type(t, "rm", "-f", id) })
	}
	return id
}

// gone reports whether a process has ended, waited for or not.
func gone(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, fields, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(fields, "Z") || strings.HasPrefix(fields, "X")
}

// commandOf is any command as who runs it: where, with which rights and
// environment.
func commandOf(t *testing.T, who lessontest.Lesson, args ...string) *exec.Cmd {
	t.Helper()
	model := who.Start(t, "help")
	model.Wait()
	command := exec.Command(args[0], args[1:]...)
	command.Dir, command.Env = model.Command.Dir, model.Command.Env
	if attributes := model.Command.SysProcAttr; attributes != nil {
		command.SysProcAttr = &unix.SysProcAttr{Credential: attributes.Credential}
	}
	return command
}

// sharedFolder is a folder that an ordinary user can write to as well.
func sharedFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o777)
	return dir
}
